mock_provider "aws" {
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/shop-stg-web-template:7" }
  }
}

variables {
  name               = "shop-stg-web"
  region             = "ap-northeast-1"
  repository_url     = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop"
  log_group          = "/shop/stg/web"
  task_role_arn      = "arn:aws:iam::111111111111:role/shop-stg-web-task"
  execution_role_arn = "arn:aws:iam::111111111111:role/shop-stg-execution"
  vpc_id             = "vpc-1"
  cpu                = 256
  memory             = 512

  containers = {
    app = {
      role         = "web"
      port         = 8000
      environment  = { B = "2", A = "1" }
      secrets      = { TOKEN = "/shop/stg/token" }
      health_check = { command = ["CMD", "true"] }
    }
    nginx = { role = "nginx", port = 80, depends_on = { app = "HEALTHY" }, stop_timeout_seconds = 5 }
    agent = { image = "public.ecr.aws/vendor/agent:1", essential = false }
  }
}

run "the_template_leaves_managed_images_to_the_deploy" {
  command = apply

  assert {
    condition = { for container in jsondecode(aws_ecs_task_definition.template.container_definitions) : container.name => container.image } == {
      app   = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop:set-by-deploy"
      nginx = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop:set-by-deploy"
      agent = "public.ecr.aws/vendor/agent:1"
    }
    error_message = "a container with a role carries the sentinel, a side-car its own image"
  }

  assert {
    condition     = output.managed_containers == { app = "web", nginx = "nginx" }
    error_message = "the side-car is not the deploy's"
  }

  assert {
    condition     = aws_ecs_task_definition.template.family == "shop-stg-web-template" && output.template_arn == aws_ecs_task_definition.template.arn && output.family == "shop-stg-web"
    error_message = "Terraform writes the family NAME-template only"
  }

  assert {
    condition     = length(aws_ecs_task_definition.template.runtime_platform) == 0 && length(aws_ecs_task_definition.template.ephemeral_storage) == 0 && length(aws_ecs_task_definition.template.volume) == 0
    error_message = "what AWS does by itself is not said"
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.anywhere.cidr_ipv4 == "0.0.0.0/0" && output.security_group == aws_security_group.tasks.id
    error_message = "a task reaches out; who comes in is for others to say"
  }
}

run "a_container_says_only_what_was_set" {
  command = plan

  assert {
    condition     = [for container in jsondecode(aws_ecs_task_definition.template.container_definitions) : container.name] == ["agent", "app", "nginx"]
    error_message = "containers are sorted by name: the same input is the same definition"
  }

  assert {
    condition     = keys(jsondecode(aws_ecs_task_definition.template.container_definitions)[0]) == ["essential", "image", "logConfiguration", "name", "stopTimeout"]
    error_message = "what was left out is not there as null or as an empty list"
  }

  assert {
    condition     = [for pair in jsondecode(aws_ecs_task_definition.template.container_definitions)[1].environment : pair.name] == ["A", "B"]
    error_message = "variables are sorted by name"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[1].secrets == [{ name = "TOKEN", valueFrom = "/shop/stg/token" }]
    error_message = "a secret is a reference"
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.template.container_definitions)[2].dependsOn == [{ containerName = "app", condition = "HEALTHY" }]
    error_message = "a container waits for the one it depends on"
  }
}

run "everything_that_can_be_said_of_a_container_is_in_the_template" {
  command = plan

  variables {
    cpu                   = 1024
    memory                = 2048
    architecture          = "ARM64"
    ephemeral_storage_gib = 50

    containers = {
      app = {
        role               = "web"
        cpu                = 768
        memory             = 1536
        memory_reservation = 1024
        entry_point        = ["/entry"]
        command            = ["serve"]
        working_directory  = "/srv"
        user               = "1000:1000"
        init               = true
        read_only_root     = true
        open_files         = 65536
        mounts             = { "/tmp" = "scratch", "/srv/public" = "public" }
        environment_files  = ["arn:aws:s3:::shop-settings/stg.env"]
      }
      nginx = { role = "nginx", mounts = { "/srv/public" = "public:ro" } }
    }
  }

  assert {
    condition = { for key, value in jsondecode(aws_ecs_task_definition.template.container_definitions)[0] : key => value if !contains(["name", "image", "essential", "stopTimeout", "logConfiguration", "mountPoints"], key) } == {
      cpu                    = 768
      memory                 = 1536
      memoryReservation      = 1024
      entryPoint             = ["/entry"]
      command                = ["serve"]
      workingDirectory       = "/srv"
      user                   = "1000:1000"
      readonlyRootFilesystem = true
      linuxParameters        = { initProcessEnabled = true }
      ulimits                = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
      environmentFiles       = [{ type = "s3", value = "arn:aws:s3:::shop-settings/stg.env" }]
    }
    error_message = "each key becomes ECS's own"
  }

  assert {
    condition     = toset(aws_ecs_task_definition.template.volume[*].name) == toset(["public", "scratch"])
    error_message = "there is one volume for each name, however many containers share it"
  }

  assert {
    condition = flatten([for container in jsondecode(aws_ecs_task_definition.template.container_definitions) : container.mountPoints]) == [
      { containerPath = "/srv/public", sourceVolume = "public", readOnly = false },
      { containerPath = "/tmp", sourceVolume = "scratch", readOnly = false },
      { containerPath = "/srv/public", sourceVolume = "public", readOnly = true },
    ]
    error_message = "`:ro` makes a mount read-only"
  }

  assert {
    condition     = one(aws_ecs_task_definition.template.runtime_platform).cpu_architecture == "ARM64" && one(aws_ecs_task_definition.template.runtime_platform).operating_system_family == "LINUX"
    error_message = "the processor is the images'"
  }

  assert {
    condition     = one(aws_ecs_task_definition.template.ephemeral_storage).size_in_gib == 50
    error_message = "the disk is as large as was asked for"
  }
}
