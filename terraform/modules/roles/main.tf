data "aws_partition" "this" {}

locals {
  # A container names a secret by the ARN of Secrets Manager (with a JSON key behind it or not), by the ARN of a parameter, or by a
  # parameter's bare name. A policy wants the ARN alone.
  managers   = [for secret in var.secrets : secret if strcontains(secret, ":secretsmanager:")]
  parameters = [for secret in var.secrets : secret if !strcontains(secret, ":secretsmanager:")]

  secret_arns = distinct([for secret in local.managers : join(":", slice(split(":", secret), 0, 7))])
  parameter_arns = distinct([
    for name in local.parameters :
    startswith(name, "arn:") ? name : "arn:${data.aws_partition.this.partition}:ssm:${var.region}:${var.account_id}:parameter/${trimprefix(name, "/")}"
  ])

  secret_reads = {
    "secretsmanager:GetSecretValue" = local.secret_arns
    "ssm:GetParameters"             = local.parameter_arns
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    # ECS acts here for tasks of this account only, whoever asks it to.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

data "aws_iam_policy_document" "execution" {
  statement {
    sid       = "SignIn"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # the action knows no resource
  }

  statement {
    sid       = "Pull"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [var.repository_arn]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for arn in var.log_group_arns : "${arn}:*"]
  }

  dynamic "statement" {
    for_each = { for action, arns in local.secret_reads : action => arns if length(arns) > 0 }

    content {
      actions   = [statement.key]
      resources = statement.value
    }
  }
}

# What ECS does before and beside the application.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# What the application itself may do: nothing, until it needs something.
resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
