"""The graph of a flow is what TaskFlow will run, and that of an operation what it has run."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from taskflow import engines, task
from taskflow.patterns import graph_flow, linear_flow, unordered_flow

from tests.support.sample_graphs import (
    BEFORE_HOST,
    NO_SPACE,
    NOW,
    ON_HOST,
    START,
    Sample,
    create_flow,
    delete_flow,
    done,
    done_create,
    empty_flow,
    facts,
    failed,
    plain_create,
    running_create,
    second_attempt,
    undoing,
    undone,
)
from tests.support.sample_flows import flows
from vmwright.errors import UnknownFlow
from vmwright.states import Direction, OperationState
from vmwright.views.graph import (
    NodeState,
    TaskRecord,
    critical_path,
    flow_graph,
    operation_graph,
    undone_by,
)

CREATE_EDGES = {
    ("check_not_created", "check_image_size"): ((), True),
    ("check_image_size", "allocate_network"): ((), True),
    ("allocate_network", "claim_host"): ((), True),
    ("allocate_network", "plug_network"): (("network_info",), False),
    ("allocate_network", "spawn"): (("network_info",), False),
    ("claim_host", "plug_network"): (("host",), True),
    ("claim_host", "map_block_devices"): (("host",), True),
    ("claim_host", "spawn"): (("host",), False),
    ("claim_host", "mark_active"): (("host",), False),
    ("plug_network", "spawn"): (("interfaces",), True),
    ("map_block_devices", "spawn"): (("block_devices",), True),
    ("spawn", "mark_active"): (("power_state",), True),
}
