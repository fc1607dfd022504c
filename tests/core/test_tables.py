"""The contract between the mirror and the rules."""

from __future__ import annotations

import pytest

from leakwatch.core.tables import FieldType, epoch_column, fields_from_describe, local_date_column, snake
from mirror_data import shipped_config


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("CloseDate", "close_date"),
        ("Loss_Reason__c", "loss_reason__c"),
        ("LossReason__c", "loss_reason__c"),
        ("OpportunityLineItem", "opportunity_line_item"),
        ("Product2", "product2"),
        ("TimeZoneSidKey", "time_zone_sid_key"),
        ("URL__c", "url__c"),
        ("Id", "id"),
    ],
)
def test_a_salesforce_name_becomes_a_snake_case_column(name: str, column: str) -> None:
    assert snake(name) == column


def test_columns_beside_a_timestamp_drop_its_date_and_time_words() -> None:
    assert epoch_column("created_date") == "created_epoch"
    assert local_date_column("completed_date_time") == "completed_date_local"
    assert local_date_column("system_modstamp") == "system_modstamp_date_local"


def test_describe_decides_type_and_decimals_of_the_fields_it_has() -> None:
    describe = {
        "fields": [
            {"name": "Amount", "type": "currency", "scale": 3},
            {"name": "Probability", "type": "percent", "scale": 0},
            {"name": "CloseDate", "type": "date", "scale": 0},
            {"name": "OwnerId", "type": "reference", "scale": 0},
            {"name": "StageName", "type": "picklist", "scale": 0},
            {"name": "IsWon", "type": "boolean", "scale": 0},
        ]
    }
    fields = fields_from_describe(describe, ["Amount", "CloseDate", "OwnerId", "StageName", "IsWon", "Budget__c"])
    assert {name: spec.type for name, spec in fields.items()} == {
        "Amount": FieldType.MONEY,
        "CloseDate": FieldType.DATE,
        "OwnerId": FieldType.ID,
        "StageName": FieldType.TEXT,
        "IsWon": FieldType.BOOLEAN,
    }
    assert fields["Amount"].sql_type == "DECIMAL(18,3)"


def test_a_missing_column_is_named_as_salesforce_names_it() -> None:
    config = shipped_config()
    assert config.label("sf_lead") == "Lead"
    assert config.label("sf_opportunity", "close_date") == "Opportunity.CloseDate"
    assert config.label("sf_lead", "created_date_local") == "Lead.CreatedDate"
    assert "Loss_Reason__c" in config.label("sf_opportunity", "loss_reason")
