# What was released, and who is releasing (docs/adr/0014-ledger-in-dynamodb.md). On demand: a release is a handful of writes.

resource "aws_dynamodb_table" "this" {
  # checkov:skip=CKV_AWS_119:who released which digest is no secret; it is encrypted with AWS's own key
  name                        = "${var.name}-releases"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "kind"
  range_key                   = "number"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "kind"
    type = "S"
  }

  attribute {
    name = "number"
    type = "N"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}
