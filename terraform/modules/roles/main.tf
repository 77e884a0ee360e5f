# Who the tasks are: what ECS does before and beside an application, and what each application itself may do.

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

  # What stands before the containers can start: their secrets, the keys of these, their environment files.
  reads = {
    "secretsmanager:GetSecretValue" = local.secret_arns
    "ssm:GetParameters"             = local.parameter_arns
    "kms:Decrypt"                   = var.kms_key_arns
    "s3:GetObject"                  = distinct(var.environment_files)
    "s3:GetBucketLocation"          = distinct([for arn in var.environment_files : split("/", arn)[0]])
  }

  policies = { for attachment in flatten([
    for task, wanted in var.tasks : [for policy in wanted.policies : { task = task, policy = policy }]
  ]) : "${attachment.task} ${attachment.policy}" => attachment }

  permitted = { for task, wanted in var.tasks : task => wanted if wanted.execute_command || length(wanted.permissions) > 0 }
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
    for_each = { for action, arns in local.reads : action => arns if length(arns) > 0 }

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

# What an application itself may do: nothing, until it needs something.
resource "aws_iam_role" "task" {
  for_each = var.tasks

  name               = "${var.name}-${each.key}-task"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "task" {
  for_each = local.permitted

  dynamic "statement" {
    for_each = each.value.permissions

    content {
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = statement.value.conditions

        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }

  # The agent that opens a shell speaks for the task, not for who typed.
  dynamic "statement" {
    for_each = each.value.execute_command ? ["ExecuteCommand"] : []

    content {
      sid = statement.value
      actions = [
        "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
      ]
      resources = ["*"] # the actions know no resource
    }
  }

  dynamic "statement" {
    for_each = each.value.execute_command ? var.exec_log_group_arn[*] : []

    content {
      sid       = "LogSessions"
      actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      resources = ["${statement.value}:*"]
    }
  }

  dynamic "statement" {
    for_each = each.value.execute_command && var.exec_log_group_arn != null ? ["FindLog"] : []

    content {
      sid       = statement.value
      actions   = ["logs:DescribeLogGroups"]
      resources = ["*"] # the action knows no resource
    }
  }

  dynamic "statement" {
    for_each = each.value.execute_command ? var.exec_kms_key_arn[*] : []

    content {
      sid       = "DecryptSessions"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "task" {
  for_each = local.permitted

  name   = "task"
  role   = aws_iam_role.task[each.key].id
  policy = data.aws_iam_policy_document.task[each.key].json
}

resource "aws_iam_role_policy_attachment" "task" {
  for_each = local.policies

  role       = aws_iam_role.task[each.value.task].name
  policy_arn = each.value.policy
}
