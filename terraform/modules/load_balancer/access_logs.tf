# Every request, in a bucket that only the load balancer writes to.

locals {
  access_logs = { for logs in var.access_logs[*] : "this" => logs } # none or one
}

data "aws_caller_identity" "this" {
  for_each = local.access_logs
}

data "aws_partition" "this" {
  for_each = local.access_logs
}

resource "aws_s3_bucket" "access_logs" {
  # checkov:skip=CKV_AWS_18:these are the access logs
  # checkov:skip=CKV_AWS_21:a log is written once and forgotten in time
  # checkov:skip=CKV_AWS_144:they are for looking back, not for coming back
  # checkov:skip=CKV_AWS_145:a load balancer can write with S3's own keys only
  # checkov:skip=CKV2_AWS_62:nobody waits for a log
  for_each = local.access_logs

  bucket        = "${var.name}-access-logs-${data.aws_caller_identity.this[each.key].account_id}"
  force_destroy = !var.deletion_protection
}

resource "aws_s3_bucket_ownership_controls" "access_logs" {
  for_each = local.access_logs

  bucket = aws_s3_bucket.access_logs[each.key].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "access_logs" {
  for_each = local.access_logs

  bucket                  = aws_s3_bucket.access_logs[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# S3's own keys: a load balancer can write with no others.
resource "aws_s3_bucket_server_side_encryption_configuration" "access_logs" {
  for_each = local.access_logs

  bucket = aws_s3_bucket.access_logs[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  for_each = local.access_logs

  bucket = aws_s3_bucket.access_logs[each.key].id

  rule {
    id     = "forget"
    status = "Enabled"

    filter {}

    expiration {
      days = each.value.retention_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "access_logs" {
  for_each = local.access_logs

  statement {
    sid       = "Deliver"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.access_logs[each.key].arn}/AWSLogs/${data.aws_caller_identity.this[each.key].account_id}/*"]

    principals {
      type        = "Service"
      identifiers = ["logdelivery.elasticloadbalancing.amazonaws.com"]
    }

    # For load balancers of this account only, whoever names the bucket.
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${data.aws_partition.this[each.key].partition}:elasticloadbalancing:*:${data.aws_caller_identity.this[each.key].account_id}:loadbalancer/*"]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.access_logs[each.key].arn, "${aws_s3_bucket.access_logs[each.key].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "access_logs" {
  for_each = local.access_logs

  bucket = aws_s3_bucket.access_logs[each.key].id
  policy = data.aws_iam_policy_document.access_logs[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.access_logs] # S3 refuses both at once
}
