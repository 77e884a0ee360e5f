# How a task looks: of a service, or of a schedule. Two families. Terraform alone writes NAME-template. A deploy copies its newest
# revision into the family NAME with the images filled in, and is the only one to write there. So neither undoes the other
# (docs/adr/0003-two-families.md).

locals {
  # A deploy replaces the images with this tag; no image ever carries it.
  managed_image = "${var.repository_url}:set-by-deploy"

  volumes = toset(flatten([for container in values(var.containers) : [for mount in values(container.mounts) : trimsuffix(mount, ":ro")]]))

  containers = [
    for name in sort(keys(var.containers)) : {
      for key, value in {
        name                   = name
        image                  = coalesce(var.containers[name].image, local.managed_image)
        essential              = var.containers[name].essential
        cpu                    = var.containers[name].cpu
        memory                 = var.containers[name].memory
        memoryReservation      = var.containers[name].memory_reservation
        entryPoint             = var.containers[name].entry_point
        command                = var.containers[name].command
        workingDirectory       = var.containers[name].working_directory
        user                   = var.containers[name].user
        stopTimeout            = var.containers[name].stop_timeout_seconds
        readonlyRootFilesystem = var.containers[name].read_only_root ? true : null
        linuxParameters        = one([for enabled in [true] : { initProcessEnabled = enabled } if var.containers[name].init])
        ulimits                = [for limit in var.containers[name].open_files[*] : { name = "nofile", softLimit = limit, hardLimit = limit }]
        environment            = [for key in sort(keys(var.containers[name].environment)) : { name = key, value = var.containers[name].environment[key] }]
        environmentFiles       = [for arn in var.containers[name].environment_files : { type = "s3", value = arn }]
        secrets                = [for key in sort(keys(var.containers[name].secrets)) : { name = key, valueFrom = var.containers[name].secrets[key] }]
        dependsOn              = [for other in sort(keys(var.containers[name].depends_on)) : { containerName = other, condition = var.containers[name].depends_on[other] }]
        portMappings           = [for port in var.containers[name].port[*] : { containerPort = port, hostPort = port, protocol = "tcp" }]
        mountPoints = [for path in sort(keys(var.containers[name].mounts)) : {
          containerPath = path
          sourceVolume  = trimsuffix(var.containers[name].mounts[path], ":ro")
          readOnly      = endswith(var.containers[name].mounts[path], ":ro")
        }]
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

  # X86_64 is what Fargate takes when nothing is said.
  dynamic "runtime_platform" {
    for_each = var.architecture == "X86_64" ? [] : [var.architecture]

    content {
      cpu_architecture        = runtime_platform.value
      operating_system_family = "LINUX"
    }
  }

  dynamic "ephemeral_storage" {
    for_each = var.ephemeral_storage_gib[*]

    content {
      size_in_gib = ephemeral_storage.value
    }
  }

  dynamic "volume" {
    for_each = local.volumes

    content {
      name = volume.value
    }
  }

  lifecycle {
    create_before_destroy = true # the contract never names a revision that is gone
  }
}

resource "aws_security_group" "tasks" {
  # checkov:skip=CKV2_AWS_5:the service or the schedule of the task attaches it
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
