# Two families. Terraform alone writes NAME-template: how a task looks. A deploy copies its newest revision into the family NAME
# with the images filled in, and is the only one to write there. So neither undoes the other (docs/adr/0003-two-families.md).

locals {
  # A deploy replaces the images with this tag; no image ever carries it.
  managed_image = "${var.repository_url}:set-by-deploy"

  containers = [
    for name in sort(keys(var.containers)) : {
      for key, value in {
        name         = name
        image        = coalesce(var.containers[name].image, local.managed_image)
        essential    = var.containers[name].essential
        command      = var.containers[name].command
        stopTimeout  = var.containers[name].stop_timeout_seconds
        environment  = [for key in sort(keys(var.containers[name].environment)) : { name = key, value = var.containers[name].environment[key] }]
        secrets      = [for key in sort(keys(var.containers[name].secrets)) : { name = key, valueFrom = var.containers[name].secrets[key] }]
        dependsOn    = [for other in sort(keys(var.containers[name].depends_on)) : { containerName = other, condition = var.containers[name].depends_on[other] }]
        portMappings = [for port in var.containers[name].port[*] : { containerPort = port, hostPort = port, protocol = "tcp" }]
        healthCheck = one([for check in var.containers[name].health_check[*] : {
          command     = check.command
          interval    = check.interval_seconds
          timeout     = check.timeout_seconds
          retries     = check.retries
          startPeriod = check.start_period_seconds
        }])
        logConfiguration = {
          logDriver = "awslogs"
          options = {
            awslogs-group         = var.log_group
            awslogs-region        = var.region
            awslogs-stream-prefix = "ecs"
          }
        }
      } : key => value if value != null && try(length(value) > 0, true)
    }
  ]
}

resource "aws_ecs_task_definition" "template" {
  family                   = "${var.name}-template"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = var.task_role_arn
  execution_role_arn       = var.execution_role_arn
  container_definitions    = jsonencode(local.containers)

  lifecycle {
    create_before_destroy = true # the contract never names a revision that is gone
  }
}

resource "aws_security_group" "tasks" {
  name        = var.name
  description = "Tasks of ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = var.name }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "anywhere" {
  security_group_id = aws_security_group.tasks.id
  description       = "Registry, logs, secrets, database, the internet"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  count = var.load_balancer == null ? 0 : 1

  security_group_id            = aws_security_group.tasks.id
  description                  = "From the load balancer"
  ip_protocol                  = "tcp"
  from_port                    = var.containers[var.load_balancer.container].port
  to_port                      = var.containers[var.load_balancer.container].port
  referenced_security_group_id = var.load_balancer.security_group
}

resource "aws_ecs_service" "this" {
  name                               = var.name
  cluster                            = var.cluster_arn
  launch_type                        = "FARGATE"
  task_definition                    = aws_ecs_task_definition.template.arn # until the first deploy
  desired_count                      = 0                                    # there is no image yet: the first deploy raises it
  deployment_minimum_healthy_percent = var.deployment.minimum_healthy_percent
  deployment_maximum_percent         = var.deployment.maximum_percent
  health_check_grace_period_seconds  = one(var.load_balancer[*].grace_period_seconds)
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = false

  network_configuration {
    subnets          = var.subnets
    security_groups  = [aws_security_group.tasks.id]
    assign_public_ip = var.assign_public_ip
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  dynamic "load_balancer" {
    for_each = var.load_balancer[*]

    content {
      container_name   = load_balancer.value.container
      container_port   = var.containers[load_balancer.value.container].port
      target_group_arn = load_balancer.value.target_group
    }
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count] # a deploy's, and the auto scaling's
  }
}
