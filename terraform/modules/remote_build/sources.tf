# What builds are made from. Nothing in it is needed once a build is over.

resource "aws_s3_bucket" "sources" {
  # checkov:skip=CKV_AWS_18:only deploys write to it, and only builds read it
  # checkov:skip=CKV_AWS_21:a source is named by its content, and forgotten in time
  # checkov:skip=CKV_AWS_144:whatever is lost, the next build brings again
  # checkov:skip=CKV_AWS_145:it is the application's code, and encrypted with AWS's own key
  # checkov:skip=CKV2_AWS_62:the build itself is started
  bucket        = "${var.name}-build-${var.account_id}"
  force_destroy = true
}

resource "aws_s3_bucket_ownership_controls" "sources" {
  bucket = aws_s3_bucket.sources.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "sources" {
  bucket                  = aws_s3_bucket.sources.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "sources" {
  bucket = aws_s3_bucket.sources.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "sources" {
  bucket = aws_s3_bucket.sources.id

  rule {
    id     = "forget"
    status = "Enabled"

    filter {}

    expiration {
      days = var.source_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "sources" {
  bucket = aws_s3_bucket.sources.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.sources.arn, "${aws_s3_bucket.sources.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.sources] # S3 refuses both at once
}
