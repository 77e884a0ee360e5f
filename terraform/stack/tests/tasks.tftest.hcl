# How services and scheduled tasks are joined to the rest. What each part does is tested beside it.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/mock" }
  }

  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg" }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/mock-template:7" }
  }

  mock_resource "aws_ecr_repository" {
    defaults = { repository_url = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:ap-northeast-1:111111111111:log-group:/shop/stg/exec" }
  }

  mock_resource "aws_lb" {
    defaults = {
      arn      = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:loadbalancer/app/shop-stg/50dc6c495c0c9188"
      dns_name = "shop-stg-1.ap-northeast-1.elb.amazonaws.com"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg-web-80/73e2d6bc24d8a067" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:listener/app/shop-stg/1/2" }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      address            = "db.example.com"
      port               = 5432
      master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:rds!db-1", kms_key_id = "k", secret_status = "active" }]
    }
  }

  mock_resource "aws_service_discovery_service" {
    defaults = { arn = "arn:aws:servicediscovery:ap-northeast-1:111111111111:service/srv-1" }
  }
}

variables {
  app         = "shop"
  environment = "stg"
  account_id  = "111111111111"
  region      = "ap-northeast-1"
  database    = { engine_version = "16" }

  services = {
    web = {
      load_balancer   = { container = "nginx" }
      discovery       = { container = "app", clients = ["job", "cleanup"] }
      scaling         = { minimum = 1, maximum = 4, requests_per_task = 600 }
      deployment      = { errors_per_minute = 10 }
      capacity        = { on_demand_base = 1, spot_weight = 1 }
      execute_command = true
      permissions     = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::shop-uploads/*"] }]
      containers = {
        app   = { role = "web", port = 8000, settings = ["SECRET_KEY", "TOKEN"], secrets = { OTHER = "/elsewhere" } }
        nginx = { role = "nginx", port = 80 }
      }
    }
    job = { containers = { worker = { role = "job", environment = { WEB_PORT = "9000" } } } }
  }

  exec_logging = { kms_key_arn = "arn:aws:kms:ap-northeast-1:111111111111:key/1" }

  scheduled_tasks = {
    cleanup = {
      schedule   = "cron(0 3 * * ? *)"
      time_zone  = "Asia/Tokyo"
      enabled    = false
      containers = { task = { role = "job", command = ["cleanup"], database = true, settings = ["SECRET_KEY"] } }
    }
  }
}

run "services_and_schedules_are_joined_to_the_rest" {
  command = apply

  assert {
    condition = { for secret in module.task["web"].container_definitions[0].secrets : secret.name => secret.valueFrom } == {
      SECRET_KEY = "/shop/stg/settings/SECRET_KEY"
      TOKEN      = "/shop/stg/settings/TOKEN"
      OTHER      = "/elsewhere"
    }
    error_message = "a setting becomes a secret of its name, from the environment's own path"
  }

  assert {
    condition     = { for pair in module.task["cleanup"].container_definitions[0].environment : pair.name => pair.value } == { DB_HOST = "db.example.com", DB_PORT = "5432", DB_USER = "shop", DB_NAME = "shop", WEB_HOST = "web.shop-stg.internal", WEB_PORT = "8000" }
    error_message = "a scheduled task reaches the database and the services whose client it is"
  }

  assert {
    condition     = { for pair in module.task["job"].container_definitions[0].environment : pair.name => pair.value } == { WEB_HOST = "web.shop-stg.internal", WEB_PORT = "9000" }
    error_message = "a client is told where; its own value wins"
  }

  assert {
    condition     = [for secret in module.task["cleanup"].container_definitions[0].secrets : secret.name] == ["DB_PASSWORD", "SECRET_KEY"]
    error_message = "settings and the password are secrets there too"
  }

  assert {
    condition = module.contract.document.scheduled_tasks == {
      cleanup = {
        name             = "shop-stg-cleanup"
        family           = "shop-stg-cleanup"
        template         = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/mock-template:7"
        schedule         = "shop-stg-cleanup"
        enabled          = false
        containers       = { task = "job" }
        subnets          = module.network.private_subnets
        security_groups  = [module.task["cleanup"].security_group]
        assign_public_ip = false
        log_group        = "/shop/stg/cleanup"
      }
    }
    error_message = "the contract tells a deploy about every schedule, and whether it shall start tasks"
  }

  assert {
    condition = { for key, value in module.contract.document.services.web.load_balancer : key => value if key != "listener" } == {
      container     = "nginx"
      port          = 80
      target_groups = ["arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg-web-80/73e2d6bc24d8a067"]
      test_listener = ""
    } && !can(module.contract.document.services.job.load_balancer)
    error_message = "what stands behind the load balancer is in the contract, of services that stand there"
  }

  assert {
    condition     = module.service["web"].deployment_alarms == ["shop-stg-web-deployment-errors"] && module.service["web"].discovery_arn != null && module.service["job"].discovery_arn == null
    error_message = "each service has what it asked for"
  }

  assert {
    condition     = keys(module.roles.task_role_arns) == ["cleanup", "job", "web"] && keys(module.cluster.log_groups) == ["cleanup", "job", "web"]
    error_message = "every service and schedule has a role and a log group"
  }

  assert {
    condition     = length(module.cluster.capacity_providers) == 2
    error_message = "the cluster has Spot when a service asks for it"
  }
}

run "nothing_of_it_is_there_unless_it_is_asked_for" {
  command = apply

  variables {
    scheduled_tasks = {}
    database        = null
    services        = { web = { load_balancer = { container = "app" }, containers = { app = { role = "web", port = 80 } } } }
  }

  assert {
    condition     = length(module.service_discovery) == 0 && length(module.scheduled_task) == 0 && length(module.cluster.capacity_providers) == 0
    error_message = "no namespace, no schedule, no Spot"
  }

  assert {
    condition     = module.contract.document.scheduled_tasks == {}
    error_message = "there is no schedule to set"
  }
}
