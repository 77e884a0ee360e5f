# A service keeps tasks running. How a task looks is module `task`'s; which revision runs, and how many, a deploy's and the
# auto scaling's (docs/adr/0003-two-families.md).

locals {
  # arn:PARTITION:ecs:REGION:ACCOUNT:cluster/NAME
  cluster = element(split("/", var.cluster_arn), 1)

  # CloudWatch and auto scaling know load balancer and target group by the ends of their ARNs.
  balancer     = one([for balancer in var.load_balancer[*] : join("/", slice(split("/", balancer.arn), 1, 4))])
  target_group = one([for balancer in var.load_balancer[*] : element(split(":", balancer.target_group), 5)])
  green_group  = try(element(split(":", var.load_balancer.green_target_group), 5), null)

  capacity = { for provider, share in {
    FARGATE      = { base = try(var.capacity.on_demand_base, 0), weight = try(var.capacity.on_demand_weight, 0) }
    FARGATE_SPOT = { base = 0, weight = try(var.capacity.spot_weight, 0) }
  } : provider => share if share.base > 0 || share.weight > 0 }

  scaled_metrics = { for metric, target in {
    ECSServiceAverageCPUUtilization    = try(var.scaling.cpu_percent, null)
    ECSServiceAverageMemoryUtilization = try(var.scaling.memory_percent, null)
    ALBRequestCountPerTarget           = try(var.scaling.requests_per_task, null)
  } : metric => target if target != null }

  alarms  = concat(var.deployment.alarms, aws_cloudwatch_metric_alarm.errors[*].alarm_name, aws_cloudwatch_metric_alarm.green_errors[*].alarm_name)
  service = one(concat(aws_ecs_service.this[*].name, aws_ecs_service.switched[*].name))
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  count = var.load_balancer == null ? 0 : 1

  security_group_id            = var.security_group
  description                  = "From the load balancer"
  ip_protocol                  = "tcp"
  from_port                    = var.load_balancer.port
  to_port                      = var.load_balancer.port
  referenced_security_group_id = var.load_balancer.security_group
}

# A rollout that makes the application answer with errors ends by this, although its tasks are healthy.
resource "aws_cloudwatch_metric_alarm" "errors" {
  count = var.deployment.errors_per_minute == null ? 0 : 1

  alarm_name          = "${var.name}-deployment-errors"
  alarm_description   = "${var.name} answers with 5xx: a rollout goes back"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = var.deployment.errors_per_minute
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"

  dimensions = {
    LoadBalancer = local.balancer
    TargetGroup  = local.target_group
  }
}

# Under CodeDeploy either target group may be the one that serves.
resource "aws_cloudwatch_metric_alarm" "green_errors" {
  count = var.deployment.errors_per_minute == null || var.deployment_controller == "ECS" ? 0 : 1

  alarm_name          = "${var.name}-deployment-green-errors"
  alarm_description   = "${var.name} answers with 5xx: a rollout goes back"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "HTTPCode_Target_5XX_Count"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = var.deployment.errors_per_minute
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"

  dimensions = {
    LoadBalancer = local.balancer
    TargetGroup  = local.green_group
  }
}

resource "aws_service_discovery_service" "this" {
  count = var.discovery == null ? 0 : 1

  name          = var.discovery.name
  description   = "Tasks of ${var.name}"
  force_destroy = true # an instance that ECS is still signing off does not hold up a destroy

  dns_config {
    namespace_id   = var.discovery.namespace_id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      ttl  = 10
    }
  }

  # ECS itself says which tasks are healthy.
  health_check_custom_config {
    failure_threshold = 1
  }
}

resource "aws_ecs_service" "this" {
  count = var.deployment_controller == "ECS" ? 1 : 0

  name                               = var.name
  cluster                            = var.cluster_arn
  launch_type                        = var.capacity == null ? "FARGATE" : null
  force_new_deployment               = var.capacity == null ? null : true # else a change of the shares would replace the service
  task_definition                    = var.template_arn                   # until the first deploy
  desired_count                      = 0                                  # there is no image yet: the first deploy raises it
  deployment_minimum_healthy_percent = var.deployment.minimum_healthy_percent
  deployment_maximum_percent         = var.deployment.maximum_percent
  health_check_grace_period_seconds  = one(var.load_balancer[*].grace_period_seconds)
  enable_execute_command             = var.execute_command
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = false

  network_configuration {
    subnets          = var.subnets
    security_groups  = [var.security_group]
    assign_public_ip = var.assign_public_ip
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  dynamic "alarms" {
    for_each = length(var.deployment.alarms) > 0 || var.deployment.errors_per_minute != null ? [local.alarms] : []

    content {
      enable      = true
      rollback    = true
      alarm_names = alarms.value
    }
  }

  dynamic "capacity_provider_strategy" {
    for_each = local.capacity

    content {
      capacity_provider = capacity_provider_strategy.key
      base              = capacity_provider_strategy.value.base
      weight            = capacity_provider_strategy.value.weight
    }
  }

  dynamic "load_balancer" {
    for_each = var.load_balancer[*]

    content {
      container_name   = load_balancer.value.container
      container_port   = load_balancer.value.port
      target_group_arn = load_balancer.value.target_group
    }
  }

  dynamic "service_registries" {
    for_each = aws_service_discovery_service.this

    content {
      registry_arn = service_registries.value.arn
    }
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count] # a deploy's, and the auto scaling's
  }
}

# It was one without `count` once: a service of then is not made anew.
moved {
  from = aws_ecs_service.this
  to   = aws_ecs_service.this[0]
}

# The same under CodeDeploy, which swaps the target groups and refuses to everybody else what a task set says. Who is in charge cannot be
# changed in place, and `lifecycle` takes no variables: hence two resources.
resource "aws_ecs_service" "switched" {
  count = var.deployment_controller == "ECS" ? 0 : 1

  name                              = var.name
  cluster                           = var.cluster_arn
  launch_type                       = var.capacity == null ? "FARGATE" : null
  task_definition                   = var.template_arn # until the first deploy
  desired_count                     = 0                # there is no image yet: the first deploy raises it
  health_check_grace_period_seconds = one(var.load_balancer[*].grace_period_seconds)
  enable_execute_command            = var.execute_command
  propagate_tags                    = "SERVICE"
  wait_for_steady_state             = false

  deployment_controller {
    type = var.deployment_controller
  }

  network_configuration {
    subnets          = var.subnets
    security_groups  = [var.security_group]
    assign_public_ip = var.assign_public_ip
  }

  dynamic "capacity_provider_strategy" {
    for_each = local.capacity

    content {
      capacity_provider = capacity_provider_strategy.key
      base              = capacity_provider_strategy.value.base
      weight            = capacity_provider_strategy.value.weight
    }
  }

  dynamic "load_balancer" {
    for_each = var.load_balancer[*]

    content {
      container_name   = load_balancer.value.container
      container_port   = load_balancer.value.port
      target_group_arn = load_balancer.value.target_group
    }
  }

  dynamic "service_registries" {
    for_each = aws_service_discovery_service.this

    content {
      registry_arn = service_registries.value.arn
    }
  }

  lifecycle {
    # A deployment's, which brings network and capacity too (its AppSpec, from the contract); and the auto scaling's count.
    ignore_changes = [task_definition, desired_count, load_balancer, network_configuration, capacity_provider_strategy, platform_version]
  }

  # They have one name: whichever goes is gone before the other one is made.
  depends_on = [aws_ecs_service.this]
}

# With no task there is nothing to measure: before the first deploy nothing is scaled.
resource "aws_appautoscaling_target" "this" {
  count = var.scaling == null ? 0 : 1

  service_namespace  = "ecs"
  resource_id        = "service/${local.cluster}/${local.service}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.scaling.minimum
  max_capacity       = var.scaling.maximum
}

resource "aws_appautoscaling_policy" "this" {
  for_each = local.scaled_metrics

  name               = "${var.name}-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  resource_id        = aws_appautoscaling_target.this[0].resource_id
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = each.value
    scale_in_cooldown  = var.scaling.scale_in_seconds
    scale_out_cooldown = var.scaling.scale_out_seconds

    predefined_metric_specification {
      predefined_metric_type = each.key
      resource_label         = each.key == "ALBRequestCountPerTarget" ? "${local.balancer}/${local.target_group}" : null
    }
  }
}
