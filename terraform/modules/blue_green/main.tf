# What CodeDeploy needs to move one service: an application, a deployment group over its two target groups, and how traffic goes from one to
# the other. A deploy makes the deployments (docs/adr/0039-blue-green.md).

data "aws_partition" "this" {}

locals {
  # arn:PARTITION:ecs:REGION:ACCOUNT:cluster/NAME
  cluster = element(split("/", var.cluster_arn), 1)

  types  = { linear = "TimeBasedLinear", canary = "TimeBasedCanary" }
  shares = { for kind, type in local.types : kind => type if kind == var.traffic.shift }
  steps  = var.traffic.shift == "linear" ? ceil(100 / var.traffic.percent) - 1 : 1
}

resource "aws_codedeploy_app" "this" {
  name             = var.name
  compute_platform = "ECS"
}

resource "aws_codedeploy_deployment_config" "this" {
  for_each = local.shares

  deployment_config_name = "${var.name}-${each.key}-${var.traffic.percent}-percent-${var.traffic.interval_minutes}-minutes"
  compute_platform       = "ECS"

  traffic_routing_config {
    type = each.value

    dynamic "time_based_linear" {
      for_each = each.key == "linear" ? [var.traffic] : []

      content {
        percentage = time_based_linear.value.percent
        interval   = time_based_linear.value.interval_minutes
      }
    }

    dynamic "time_based_canary" {
      for_each = each.key == "canary" ? [var.traffic] : []

      content {
        percentage = time_based_canary.value.percent
        interval   = time_based_canary.value.interval_minutes
      }
    }
  }

  # Its name says what it does, and it cannot be changed: another one is made before this one goes.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_codedeploy_deployment_group" "this" {
  app_name               = aws_codedeploy_app.this.name
  deployment_group_name  = var.name
  deployment_config_name = try(one(values(aws_codedeploy_deployment_config.this)).deployment_config_name, "CodeDeployDefault.ECSAllAtOnce")
  service_role_arn       = aws_iam_role.this.arn

  deployment_style {
    deployment_type   = "BLUE_GREEN"
    deployment_option = "WITH_TRAFFIC_CONTROL"
  }

  blue_green_deployment_config {
    deployment_ready_option {
      action_on_timeout    = var.ready_wait_minutes > 0 ? "STOP_DEPLOYMENT" : "CONTINUE_DEPLOYMENT"
      wait_time_in_minutes = var.ready_wait_minutes
    }

    terminate_blue_instances_on_deployment_success {
      action                           = "TERMINATE"
      termination_wait_time_in_minutes = var.termination_wait_minutes
    }
  }

  ecs_service {
    cluster_name = local.cluster
    service_name = var.service_name
  }

  load_balancer_info {
    target_group_pair_info {
      prod_traffic_route {
        listener_arns = [var.listener]
      }

      dynamic "test_traffic_route" {
        for_each = var.test_listener[*]

        content {
          listener_arns = [test_traffic_route.value]
        }
      }

      dynamic "target_group" {
        for_each = var.target_group_names

        content {
          name = target_group.value
        }
      }
    }
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]
  }

  dynamic "alarm_configuration" {
    for_each = length(var.alarms) > 0 ? [var.alarms] : []

    content {
      enabled = true
      alarms  = alarm_configuration.value
    }
  }

  depends_on = [aws_iam_role_policy_attachment.this]
}

resource "aws_iam_role" "this" {
  name        = "${var.name}-codedeploy"
  description = "CodeDeploy, to move ${var.service_name}"

  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "codedeploy.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/AWSCodeDeployRoleForECS"
}

# AWS's own policy lets it call functions named CodeDeployHook_… alone.
resource "aws_iam_role_policy" "hooks" {
  count = length(var.hooks) == 0 ? 0 : 1

  name = "hooks"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "CallHooks", Effect = "Allow", Action = "lambda:InvokeFunction", Resource = sort(distinct(values(var.hooks))) }]
  })
}
