mock_provider "aws" {}

variables {
  name                = "shop-stg"
  deletion_protection = true
}

run "the_history_of_releases_can_be_brought_back" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled && aws_dynamodb_table.this.deletion_protection_enabled
    error_message = "the ledger says what may be rolled back to: it must not be lost"
  }

  assert {
    condition     = aws_dynamodb_table.this.hash_key == "kind" && aws_dynamodb_table.this.range_key == "number"
    error_message = "deploylib/ledger.py reads by kind and number"
  }

  assert {
    condition     = aws_dynamodb_table.this.name == "shop-stg-releases" && aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "one table for each environment, paid by use"
  }
}
