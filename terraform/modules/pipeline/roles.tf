# Who may do what: the pipeline, and whoever starts it.

locals {
  repository_arn = "arn:${local.partition}:codecommit:${var.region}:${var.account_id}:${var.repository.name}"

  # One connection has two names: the service was renamed, and either may be asked for.
  connection_arns = var.repository.connection_arn == null ? [] : [for service in ["codeconnections", "codestar-connections"] : replace(var.repository.connection_arn, "/:(codeconnections|codestar-connections):/", ":${service}:")]

  # A service acts for this account's own pipeline only, whoever asks it to.
  trust = {
    for service, source in { codepipeline = local.pipeline, codebuild = local.project, events = "arn:${local.partition}:events:${var.region}:${var.account_id}:rule/${var.name}-pipeline-*" } : service => {
      Version                             = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { Service = "${service}.amazonaws.com" }
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id }, ArnLike = { "aws:SourceArn" = source } }
      }]
    }
  }

  task_definitions = [for one in values(var.services) : "arn:${local.partition}:ecs:${var.region}:${var.account_id}:task-definition/${one.family}:*"]

  codedeploy = "arn:${local.partition}:codedeploy:${var.region}:${var.account_id}"

  deploying = concat(
    [
      { Sid = "Register", Effect = "Allow", Action = ["ecs:RegisterTaskDefinition", "ecs:DescribeTaskDefinition"], Resource = "*" }, # ECS knows no ARN of the latter
      { Sid = "Tag", Effect = "Allow", Action = ["ecs:TagResource"], Resource = local.task_definitions, Condition = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } } },
      { Sid = "HandOverRoles", Effect = "Allow", Action = ["iam:PassRole"], Resource = var.passed_role_arns, Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } } },
    ],
    [for arns in [[for one in values(local.by_ecs) : "${replace(var.cluster_arn, ":cluster/", ":service/")}/${one.service}"]] :
      { Sid = "RollOut", Effect = "Allow", Action = ["ecs:DescribeServices", "ecs:UpdateService"], Resource = arns } if length(arns) > 0
    ],
    [for arn in [var.cluster_arn] :
      { Sid = "Watch", Effect = "Allow", Action = ["ecs:DescribeTasks", "ecs:ListTasks"], Resource = "*", Condition = { ArnEquals = { "ecs:cluster" = arn } } } if length(local.by_ecs) > 0
    ],
    [for groups in [values(local.by_codedeploy)[*].codedeploy] : {
      Sid    = "Switch"
      Effect = "Allow"
      Action = ["codedeploy:CreateDeployment", "codedeploy:GetApplication", "codedeploy:GetApplicationRevision", "codedeploy:GetDeployment", "codedeploy:GetDeploymentConfig", "codedeploy:RegisterApplicationRevision"]
      Resource = concat(
        [for group in groups : "${local.codedeploy}:application:${group.application}"],
        [for group in groups : "${local.codedeploy}:deploymentgroup:${group.application}/${group.deployment_group}"],
        ["${local.codedeploy}:deploymentconfig:*"],
      )
    } if length(groups) > 0],
  )
}

resource "aws_iam_role" "pipeline" {
  name               = "${var.name}-pipeline"
  description        = "What the pipeline ${var.name} may do"
  assume_role_policy = jsonencode(local.trust["codepipeline"])
}

resource "aws_iam_role_policy" "pipeline" {
  name = "pipeline"
  role = aws_iam_role.pipeline.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Sid = "Artifacts", Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], Resource = "${aws_s3_bucket.artifacts.arn}/*" },
        { Sid = "ArtifactBucket", Effect = "Allow", Action = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"], Resource = aws_s3_bucket.artifacts.arn },
        { Sid = "Build", Effect = "Allow", Action = ["codebuild:BatchGetBuilds", "codebuild:StartBuild"], Resource = aws_codebuild_project.this.arn },
      ],
      [for one in [
        { Sid = "CodeCommit", Effect = "Allow", Action = ["codecommit:GetBranch", "codecommit:GetCommit", "codecommit:GetRepository"], Resource = [local.repository_arn] },
        { Sid = "Connection", Effect = "Allow", Action = ["codeconnections:UseConnection", "codestar-connections:UseConnection"], Resource = local.connection_arns },
      ] : one if local.commit == (one.Sid == "CodeCommit")],
      [for arn in [var.image_repository.arn] : { Sid = "Pushed", Effect = "Allow", Action = ["ecr:DescribeImages"], Resource = arn } if var.source_type == "ecr"],
      [for arn in local.tell[*] : { Sid = "Ask", Effect = "Allow", Action = ["sns:Publish"], Resource = arn } if var.approval != null],
      local.deploying,
    )
  })
}

# A connection starts the pipeline by itself; what is pushed to ECR or CodeCommit, a rule.
locals {
  starts = {
    for kind, pattern in {
      ecr = {
        source      = ["aws.ecr"]
        detail-type = ["ECR Image Action"]
        detail = {
          action-type     = ["PUSH"]
          result          = ["SUCCESS"]
          repository-name = [var.image_repository.name]
          image-tag       = try([var.images.tags[var.images.trigger]], [])
        }
      }
      git = {
        source      = ["aws.codecommit"]
        detail-type = ["CodeCommit Repository State Change"]
        resources   = [local.repository_arn]
        detail = {
          event         = ["referenceCreated", "referenceUpdated"]
          referenceType = ["branch"]
          referenceName = [var.repository.branch]
        }
      }
    } : kind => jsonencode(pattern) if kind == var.source_type && (kind == "ecr" || local.commit)
  }
}

resource "aws_cloudwatch_event_rule" "start" {
  for_each = local.starts

  name          = "${var.name}-pipeline-start"
  description   = "Starts the pipeline ${var.name}"
  event_pattern = each.value
}

resource "aws_cloudwatch_event_target" "start" {
  for_each = local.starts

  rule     = aws_cloudwatch_event_rule.start[each.key].name
  arn      = aws_codepipeline.this.arn
  role_arn = aws_iam_role.start[each.key].arn
}

resource "aws_iam_role" "start" {
  for_each = local.starts

  name               = "${var.name}-pipeline-start"
  description        = "Starts the pipeline ${var.name}"
  assume_role_policy = jsonencode(local.trust["events"])
}

resource "aws_iam_role_policy" "start" {
  for_each = local.starts

  name   = "start"
  role   = aws_iam_role.start[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Sid = "Start", Effect = "Allow", Action = ["codepipeline:StartPipelineExecution"], Resource = local.pipeline }] })
}
