# How the parts are joined. What each part does is tested beside it.
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

  mock_resource "aws_lb" {
    defaults = {
      arn      = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:loadbalancer/app/shop-stg/1"
      dns_name = "shop-stg-1.ap-northeast-1.elb.amazonaws.com"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg/1" }
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
}

variables {
  app         = "shop"
  environment = "stg"
  account_id  = "111111111111"
  region      = "ap-northeast-1"
  database    = { engine_version = "16" }

  services = {
    web = {
      desired_count = 2
      load_balancer = { container = "nginx" }
      containers = {
        app   = { role = "web", port = 8000, database = true, environment = { DB_NAME = "other", GREETING = "Hello" } }
        nginx = { role = "nginx", port = 80 }
      }
    }
    job = { containers = { worker = { role = "job" } } }
  }
}

run "services_get_what_they_asked_for" {
  command = apply

  assert {
    condition = { for pair in module.task["web"].container_definitions[0].environment : pair.name => pair.value } == {
      DB_HOST = "db.example.com", DB_PORT = "5432", DB_USER = "shop", DB_NAME = "other", GREETING = "Hello"
    }
    error_message = "database = true brings the connection; a container's own value wins"
  }

  assert {
    condition     = one(module.task["web"].container_definitions[0].secrets).name == "DB_PASSWORD"
    error_message = "the password comes as a secret"
  }

  assert {
    condition     = !can(module.task["web"].container_definitions[1].environment) && !can(module.task["job"].container_definitions[0].secrets)
    error_message = "a container that did not ask for the database learns nothing of it"
  }

  assert {
    condition     = output.url == "http://shop-stg-1.ap-northeast-1.elb.amazonaws.com" && output.contract == "/shop/stg/contract"
    error_message = "without a domain the load balancer's address is the url"
  }

  assert {
    condition = { for name, service in module.contract.document.services : name => [service.desired_count, service.assign_public_ip, service.log_group, service.containers] } == {
      web = [2, false, "/shop/stg/web", { app = "web", nginx = "nginx" }]
      job = [1, false, "/shop/stg/job", { worker = "job" }]
    }
    error_message = "the contract tells a deploy about every service"
  }

  assert {
    condition     = module.contract.document.services.web.subnets == module.network.private_subnets
    error_message = "with NAT gateways tasks are in the private subnets"
  }
}

run "without_nat_gateways_tasks_have_public_addresses" {
  command = apply

  variables {
    network  = { nat_gateways = 0 }
    database = null
    services = { web = { load_balancer = { container = "app" }, containers = { app = { role = "web", port = 80 } } } }

    domain          = "shop.example.com"
    certificate_arn = "arn:aws:acm:ap-northeast-1:111111111111:certificate/1"
  }

  assert {
    condition     = module.contract.document.services.web.assign_public_ip && module.contract.document.services.web.subnets == module.network.public_subnets
    error_message = "a task in a private subnet could not even pull its image"
  }

  assert {
    condition     = output.url == "https://shop.example.com"
    error_message = "the domain is the url"
  }
}

run "mistakes_are_named_before_anything_is_made" {
  command = plan

  variables {
    account_id = "1111"
    domain     = "shop.example.com"
    database   = null
    services   = { Web = { desired_count = 1.5, load_balancer = { container = "nginx" }, containers = { app = { role = "web", database = true } } } }
  }

  expect_failures = [var.account_id, var.domain, var.services]
}

run "names_that_do_not_fit_are_refused" {
  command = plan

  variables {
    app = "a-shop-with-a-long-name"
  }

  expect_failures = [var.environment]
}
