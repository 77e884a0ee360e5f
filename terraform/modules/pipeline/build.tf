# The build: a machine that has an engine, clones the repository, and runs what buildspec.yml says.

locals {
  build_image = coalesce(var.build.image, var.build.architecture == "ARM64" ? "aws/codebuild/amazonlinux-aarch64-standard:3.0" : "aws/codebuild/amazonlinux-x86_64-standard:5.0")
  parameters  = "arn:${local.partition}:ssm:${var.region}:${var.account_id}:parameter"
}

resource "aws_cloudwatch_log_group" "build" {
  # checkov:skip=CKV_AWS_338:a build's log is for mending that build
  name              = "/codebuild/${var.name}-pipeline"
  retention_in_days = var.build.log_days
  kms_key_id        = var.build.kms_key_arn
}

resource "aws_codebuild_project" "this" {
  # checkov:skip=CKV_AWS_147:what it writes is the pipeline's, which encrypts it
  # checkov:skip=CKV_AWS_316:an image cannot be built without
  name           = "${var.name}-pipeline"
  description    = "What the pipeline ${var.name} builds, and writes for its deploy stage"
  service_role   = aws_iam_role.build.arn
  build_timeout  = var.build.timeout_minutes
  queued_timeout = 60

  artifacts {
    type = "CODEPIPELINE"
  }

  source {
    type      = "CODEPIPELINE"
    buildspec = var.build.buildspec
  }

  # On the machine of the last build, if it is there yet: layers, and the folders that buildspec.yml names.
  cache {
    type  = "LOCAL"
    modes = ["LOCAL_DOCKER_LAYER_CACHE", "LOCAL_CUSTOM_CACHE"]
  }

  environment {
    type            = var.build.architecture == "ARM64" ? "ARM_CONTAINER" : "LINUX_CONTAINER"
    compute_type    = var.build.compute_type
    image           = local.build_image
    privileged_mode = true # for the engine

    # AWS's own images are pulled as CodeBuild, and no others.
    image_pull_credentials_type = startswith(local.build_image, "aws/codebuild/") ? "CODEBUILD" : "SERVICE_ROLE"

    dynamic "environment_variable" {
      for_each = { DEPLOY_ENV = var.environment, PIPELINE_SOURCE = var.source_type }

      content {
        name  = environment_variable.key
        value = environment_variable.value
      }
    }

    dynamic "environment_variable" {
      for_each = var.build.parameters

      content {
        name  = environment_variable.key
        value = environment_variable.value
        type  = "PARAMETER_STORE"
      }
    }
  }

  logs_config {
    cloudwatch_logs {
      group_name = aws_cloudwatch_log_group.build.name
    }
  }

  depends_on = [aws_iam_role_policy.build]
}

resource "aws_iam_role" "build" {
  name               = "${var.name}-pipeline-build"
  description        = "What the build of the pipeline ${var.name} may do"
  assume_role_policy = jsonencode(local.trust["codebuild"])
}

resource "aws_iam_role_policy" "build" {
  name = "build"
  role = aws_iam_role.build.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Sid = "Log", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${aws_cloudwatch_log_group.build.arn}:*" },
        { Sid = "Artifacts", Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], Resource = "${aws_s3_bucket.artifacts.arn}/*" },
        { Sid = "ArtifactBucket", Effect = "Allow", Action = ["s3:GetBucketAcl", "s3:GetBucketLocation"], Resource = aws_s3_bucket.artifacts.arn },
        {
          Sid      = "Parameters"
          Effect   = "Allow"
          Action   = ["ssm:GetParameter", "ssm:GetParameters"]
          Resource = concat(["${local.parameters}${var.contract}"], [for one in values(var.build.parameters) : "${local.parameters}${one}"], var.build.build_parameters)
        },
        { Sid = "Revisions", Effect = "Allow", Action = ["ecs:DescribeTaskDefinition"], Resource = "*" }, # ECS knows no ARN here
        { Sid = "Services", Effect = "Allow", Action = ["ecs:DescribeServices"], Resource = local.service_arns },
        { Sid = "LogIn", Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" }, # of the registry, not of a repository
        { Sid = "Images", Effect = "Allow", Action = local.image_actions[var.source_type], Resource = [var.image_repository.arn, var.image_repository.cache_arn] },
      ],
      local.clone,
    )
  })
}

resource "aws_iam_role_policy_attachment" "build" {
  for_each = var.build.policy_arns

  role       = aws_iam_role.build.name
  policy_arn = each.value
}

locals {
  service_arns = [for one in values(var.services) : "${replace(var.cluster_arn, ":cluster/", ":service/")}/${one.service}"]

  reads = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"]

  image_actions = {
    ecr = local.reads
    git = concat(local.reads, ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"])
  }

  # The pipeline hands on the name of a commit; whoever clones it is the build.
  clone = [
    for one in [
      { Sid = "CodeCommit", Effect = "Allow", Action = ["codecommit:GitPull"], Resource = [local.repository_arn] },
      { Sid = "Connection", Effect = "Allow", Action = ["codeconnections:UseConnection", "codestar-connections:UseConnection"], Resource = local.connection_arns },
    ] : one if local.commit == (one.Sid == "CodeCommit")
  ]
}
