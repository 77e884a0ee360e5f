# Where images are built that nobody's machine builds: a CodeBuild project with an engine, the bucket that sources come in by, a role.
#
# What a build runs comes with its source (docs/adr/0043-remote-build.md): the project says where, on what, and as whom.

data "aws_partition" "this" {}

locals {
  partition = data.aws_partition.this.partition
  arm       = var.architecture == "ARM64"
  image     = coalesce(var.image, local.arm ? "aws/codebuild/amazonlinux-aarch64-standard:3.0" : "aws/codebuild/amazonlinux-x86_64-standard:5.0")
  project   = "arn:${local.partition}:codebuild:${var.region}:${var.account_id}:project/${var.name}-build"
}

# Beside the logs of the tasks: whoever may deploy may read them.
resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:a build's log is for mending that build
  name              = "${var.log_prefix}/remote-build"
  retention_in_days = var.log_days
  kms_key_id        = var.log_kms_key_arn
}

resource "aws_codebuild_project" "this" {
  # checkov:skip=CKV_AWS_147:it writes nothing but images and a log
  # checkov:skip=CKV_AWS_316:an image cannot be built without
  name           = "${var.name}-build"
  description    = "Builds the images of ${var.name}; inv deploy starts it"
  service_role   = aws_iam_role.this.arn
  build_timeout  = var.timeout_minutes
  queued_timeout = 60

  artifacts {
    type = "NO_ARTIFACTS"
  }

  # Each build has its own, which is named when it is started.
  source {
    type     = "S3"
    location = "${aws_s3_bucket.sources.bucket}/sources/none.zip"
  }

  # On the machine of an earlier build, if it is there yet.
  cache {
    type  = "LOCAL"
    modes = ["LOCAL_DOCKER_LAYER_CACHE"]
  }

  environment {
    type            = local.arm ? "ARM_CONTAINER" : "LINUX_CONTAINER"
    compute_type    = var.compute_type
    image           = local.image
    privileged_mode = true # for the engine

    # AWS's own images are pulled as CodeBuild, and no others.
    image_pull_credentials_type = startswith(local.image, "aws/codebuild/") ? "CODEBUILD" : "SERVICE_ROLE"
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.this.name
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

resource "aws_iam_role" "this" {
  name        = "${var.name}-build"
  description = "What a build of the images of ${var.name} may do"

  # For this project only, whoever asks CodeBuild to take the role.
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codebuild.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id }, ArnLike = { "aws:SourceArn" = local.project } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "build"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Sid = "Log", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${aws_cloudwatch_log_group.this.arn}:*" },
        { Sid = "Source", Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion"], Resource = "${aws_s3_bucket.sources.arn}/sources/*" },
        { Sid = "Bucket", Effect = "Allow", Action = ["s3:GetBucketAcl", "s3:GetBucketLocation"], Resource = aws_s3_bucket.sources.arn },
        { Sid = "LogIn", Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" }, # of the registry, not of a repository
        {
          Sid    = "Images"
          Effect = "Allow"
          Action = [
            "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload",
            "ecr:PutImage", "ecr:UploadLayerPart",
          ]
          Resource = var.repository_arn
        },
      ],
      [for arns in [var.build_parameters] : { Sid = "Parameters", Effect = "Allow", Action = ["ssm:GetParameter", "ssm:GetParameters"], Resource = arns } if length(arns) > 0],
    )
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = var.policy_arns

  role       = aws_iam_role.this.name
  policy_arn = each.value
}
