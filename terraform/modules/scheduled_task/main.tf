# A schedule starts tasks. How a task looks is module `task`'s. The schedule is made disabled and on the template, which has no
# image; a deploy sets it to the revision that it registered and enables it. Both are the deploy's from then on (docs/adr/0021-scheduled-tasks.md).

locals {
  # arn:PARTITION:ecs:REGION:ACCOUNT:cluster/NAME
  cluster    = split(":", var.cluster_arn)
  partition  = local.cluster[1]
  region     = local.cluster[3]
  account_id = local.cluster[4]
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    # The scheduler acts here for schedules of this account only, whoever asks it to.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

data "aws_iam_policy_document" "start" {
  statement {
    sid       = "Start"
    actions   = ["ecs:RunTask"]
    resources = ["arn:${local.partition}:ecs:${local.region}:${local.account_id}:task-definition/${var.name}:*"]

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster_arn]
    }
  }

  statement {
    sid       = "Tag"
    actions   = ["ecs:TagResource"]
    resources = ["arn:${local.partition}:ecs:${local.region}:${local.account_id}:task/*"]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "HandOverRoles"
    actions   = ["iam:PassRole"]
    resources = var.passed_role_arns

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  dynamic "statement" {
    for_each = aws_sqs_queue.undelivered

    content {
      sid       = "GiveUp"
      actions   = ["sqs:SendMessage"]
      resources = [statement.value.arn]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-scheduler"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.start.json
}

# What could not be started, with the reason: a task that started and failed is not among it.
resource "aws_sqs_queue" "undelivered" {
  count = var.undelivered_days == null ? 0 : 1

  name                      = "${var.name}-undelivered"
  message_retention_seconds = var.undelivered_days * 24 * 60 * 60
  sqs_managed_sse_enabled   = true
}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297:what it holds names a task, a subnet and a group; it is encrypted with AWS's own key
  name                         = var.name
  description                  = "Starts a task of ${var.name}"
  schedule_expression          = var.expression
  schedule_expression_timezone = var.time_zone
  state                        = "DISABLED" # there is no image yet: the first deploy enables it

  flexible_time_window {
    mode                      = var.window_minutes == 0 ? "OFF" : "FLEXIBLE"
    maximum_window_in_minutes = var.window_minutes == 0 ? null : var.window_minutes
  }

  target {
    arn      = var.cluster_arn
    role_arn = aws_iam_role.scheduler.arn

    ecs_parameters {
      task_definition_arn = var.template_arn # until the first deploy
      task_count          = var.tasks
      launch_type         = var.spot ? null : "FARGATE"
      propagate_tags      = "TASK_DEFINITION"

      network_configuration {
        subnets          = var.subnets
        security_groups  = [var.security_group]
        assign_public_ip = var.assign_public_ip
      }

      dynamic "capacity_provider_strategy" {
        for_each = var.spot ? ["FARGATE_SPOT"] : []

        content {
          capacity_provider = capacity_provider_strategy.value
          weight            = 1
        }
      }
    }

    retry_policy {
      maximum_retry_attempts       = var.retry.attempts
      maximum_event_age_in_seconds = var.retry.seconds
    }

    dynamic "dead_letter_config" {
      for_each = aws_sqs_queue.undelivered

      content {
        arn = dead_letter_config.value.arn
      }
    }
  }

  lifecycle {
    ignore_changes = [state, target[0].ecs_parameters[0].task_definition_arn] # a deploy's
  }

  depends_on = [aws_iam_role_policy.scheduler]
}
