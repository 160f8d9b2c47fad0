"""Whether a host takes new instances at all, or this one again."""

from vmwright.scheduler.values import HostState, RequestSpec


class Enabled:
    """Lets pass what is enabled, not draining, and clean."""

    name = "enabled"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        del request
        if not host.enabled:
            return f"disabled ({host.disabled_reason or 'no reason given'})"
        if host.draining:
            return "draining: it takes no new instances"
        # Guests and addresses that it still has are in nobody's books any more.
        if host.uncleaned:
            return f"was away and still has to be cleaned of {host.uncleaned} things"
        return None


class Retry:
    """Lets pass what was not tried before."""

    name = "retry"

    def why_not(self, host: HostState, request: RequestSpec) -> str | None:
        if host.id not in request.excluded:
            return None
        return f"tried already: {request.excluded[host.id]}"
