"""What mkdocs calls while it builds the site: adds the pages and pictures of the code."""

from pathlib import Path

from command_page import command_page
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from pictures import pictures
from route_page import route_page
from sources import Sources, with_links

GENERATED = {"reference/commands.md": command_page, "reference/routes.md": route_page}


def on_config(config: MkDocsConfig) -> None:
    """Put every decision into the navigation."""
    decisions = sorted(Path(config.docs_dir, "decisions").glob("*.md"))
    explanation = next(part["Explanation"] for part in config.nav or [] if "Explanation" in part)
    entry = next(part for part in explanation if "Decisions" in part)
    entry["Decisions"] = [f"decisions/{path.name}" for path in decisions]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is generated, and a page for each file of the repository that a page links to."""
    for uri, make in GENERATED.items():
        files.append(File.generated(config, uri, content=make()))
    for uri, picture in pictures():
        if known := files.get_file_from_path(uri):
            files.remove(known)
        files.append(File.generated(config, uri, content=picture))
    sources = Sources()
    for file in files.documentation_pages():
        sources.follow(f"docs/{file.src_uri}", file.content_string)
    for uri, content in sources.pages():
        page = File.generated(config, uri, content=content, inclusion=InclusionLevel.NOT_IN_NAV)
        files.append(page)
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Have links that lead out of docs/ lead to the pages of those files."""
    origin = page.file.src_uri
    if origin.startswith("source/"):
        return markdown
    return with_links(markdown, f"docs/{origin}", origin)
