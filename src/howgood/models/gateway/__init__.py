"""Any model as a metered server in the OpenAI and the Anthropic dialect."""

from __future__ import annotations

from howgood.models.gateway.keys import Key, Spent, read_keys
from howgood.models.gateway.log import Call, read_log
from howgood.models.gateway.server import Gateway

__all__ = ["Call", "Gateway", "Key", "Spent", "read_keys", "read_log"]
