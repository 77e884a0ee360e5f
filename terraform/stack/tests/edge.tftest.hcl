# Network, load balancer, registry, cluster and alarms, as the stack joins them.
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "111111111111" }
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
    defaults = { arn = "arn:aws:logs:ap-northeast-1:111111111111:log-group:mock" }
  }

  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:ap-northeast-1:111111111111:alarm:mock" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:ap-northeast-1:111111111111:shop-stg-alarms" }
  }

  mock_resource "aws_lb" {
    defaults = {
      arn        = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:loadbalancer/app/shop-stg/1"
      arn_suffix = "app/shop-stg/1"
      dns_name   = "shop-stg-1.ap-northeast-1.elb.amazonaws.com"
    }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/shop-stg/1", arn_suffix = "targetgroup/shop-stg/1" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:listener/app/shop-stg/1/2" }
  }

  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:ap-northeast-1:111111111111:certificate/new"
      domain_validation_options = [
        { domain_name = "shop.example.com", resource_record_name = "_1.shop.example.com", resource_record_type = "CNAME", resource_record_value = "_1.acm.example" },
        { domain_name = "www.example.com", resource_record_name = "_2.www.example.com", resource_record_type = "CNAME", resource_record_value = "_2.acm.example" },
      ]
    }
  }

  mock_resource "aws_acm_certificate_validation" {
    defaults = { certificate_arn = "arn:aws:acm:ap-northeast-1:111111111111:certificate/new" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::shop-stg-access-logs-111111111111", id = "shop-stg-access-logs-111111111111" }
  }

  mock_resource "aws_db_instance" {
    defaults = {
      arn                = "arn:aws:rds:ap-northeast-1:111111111111:db:shop-stg"
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

  services = {
    web = { load_balancer = { container = "app" }, containers = { app = { role = "web", port = 80 } } }
    job = { containers = { worker = { role = "job" } } }
  }
}

run "what_is_not_asked_for_costs_nothing" {
  command = apply

  assert {
    condition     = length(module.observability) == 0 && output.alarm_topic == null
    error_message = "no alarms"
  }

  assert {
    condition     = module.load_balancer.access_log_bucket == null && module.load_balancer.test_listener == null
    error_message = "no access logs, no test listener"
  }

  assert {
    condition     = length(module.cluster.capacity_providers) == 0 && module.cluster.exec_log_group_arn == null
    error_message = "no capacity providers, no log of shells"
  }
}

run "all_of_it_comes_together" {
  command = apply

  variables {
    domain              = "shop.example.com"
    alternative_domains = ["www.example.com"]
    zone_id             = "Z0123456789"
    database            = { engine_version = "16" }
    container_insights  = "enhanced"
    exec_logging        = {}
    network             = { endpoints = ["s3"], flow_logs = {} }
    load_balancer       = { access_logs = {}, test_listener = { clients = ["203.0.113.0/24"] } }
    registry            = { pull_principals = ["222222222222"] }
    alarms              = { emails = ["ops@example.com"] }

    services = {
      web = { capacity = { spot_weight = 1 }, load_balancer = { container = "app", blue_green = true }, containers = { app = { role = "web", port = 80 } } }
      job = { containers = { worker = { role = "job" } } }
    }
  }

  assert {
    condition     = output.url == "https://shop.example.com" && module.load_balancer.url == output.url
    error_message = "the zone makes the domain the url"
  }

  assert {
    condition     = module.load_balancer.access_log_bucket == "shop-stg-access-logs-111111111111"
    error_message = "requests are written down"
  }

  assert {
    condition     = module.load_balancer.target_group_names == { web = ["shop-stg-web-80", "shop-stg-web-80-g"] } && module.load_balancer.test_listener != null
    error_message = "a blue/green service has two target groups and a test listener"
  }

  assert {
    condition     = module.cluster.capacity_providers == toset(["FARGATE", "FARGATE_SPOT"])
    error_message = "one service that asks for Spot is enough for the cluster to offer it"
  }

  assert {
    condition     = module.cluster.exec_log_group_arn != null
    error_message = "shells are written down"
  }

  assert {
    condition = sort(module.observability[0].alarm_names) == tolist([
      "shop-stg-database-cpu", "shop-stg-database-storage", "shop-stg-load-balancer-errors",
      "shop-stg-service-job-cpu", "shop-stg-service-job-memory", "shop-stg-service-job-tasks",
      "shop-stg-service-web-cpu", "shop-stg-service-web-errors", "shop-stg-service-web-green-errors", "shop-stg-service-web-green-latency",
      "shop-stg-service-web-green-unhealthy", "shop-stg-service-web-latency", "shop-stg-service-web-memory", "shop-stg-service-web-tasks", "shop-stg-service-web-unhealthy",
    ])
    error_message = "everything is watched: ${join(", ", module.observability[0].alarm_names)}"
  }

  assert {
    condition     = output.alarm_topic == "arn:aws:sns:ap-northeast-1:111111111111:shop-stg-alarms"
    error_message = "alarms are told"
  }
}

run "a_service_under_codedeploy_has_two_groups_a_deployment_group_and_says_so_in_the_contract" {
  variables {
    load_balancer = { test_listener = { clients = ["203.0.113.0/24"] } }

    services = {
      web = {
        capacity      = { on_demand_base = 1, spot_weight = 3 }
        codedeploy    = { traffic = { shift = "canary", percent = 20, interval_minutes = 5 }, ready_wait_minutes = 30 }
        deployment    = { errors_per_minute = 5 }
        load_balancer = { container = "app" }
        containers    = { app = { role = "web", port = 80 } }
      }

      job = { containers = { worker = { role = "job" } } }
    }
  }

  assert {
    condition     = module.load_balancer.target_group_names == { web = ["shop-stg-web-80", "shop-stg-web-80-g"] }
    error_message = "CodeDeploy alone is enough for a second target group"
  }

  assert {
    condition     = module.blue_green["web"].shift_minutes == 5 && keys(module.blue_green) == ["web"]
    error_message = "only web is CodeDeploy's"
  }

  assert {
    condition = module.contract.document.services.web.codedeploy == {
      application              = "shop-stg-web"
      deployment_group         = "shop-stg-web"
      ready_wait_minutes       = 30
      shift_minutes            = 5
      termination_wait_minutes = 5
      platform_version         = "LATEST"
      capacity                 = [{ provider = "FARGATE", base = 1, weight = 1 }, { provider = "FARGATE_SPOT", base = 0, weight = 3 }]
      hooks                    = {}
    }
    error_message = "a deploy learns all of it: ${jsonencode(module.contract.document.services.web)}"
  }

  assert {
    condition     = !contains(keys(module.contract.document.services.job), "codedeploy")
    error_message = "a rolling service has no such key"
  }
}
