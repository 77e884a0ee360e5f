# Who releases: the role, what it may pass, and whom it trusts.
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

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111111111111:policy/mock" }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com" }
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

  mock_resource "aws_scheduler_schedule" {
    defaults = { arn = "arn:aws:scheduler:ap-northeast-1:111111111111:schedule/default/shop-stg-cleanup" }
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
}

variables {
  app         = "shop"
  environment = "stg"
  account_id  = "111111111111"
  region      = "ap-northeast-1"
  services    = { web = { load_balancer = { container = "app" }, containers = { app = { role = "web", port = 8000 } } } }
}

run "nobody_asked_for_a_deploy_role" {
  command = plan

  assert {
    condition     = output.deploy_role == null
    error_message = "without [terraform.deploy_role] there is none"
  }
}

run "the_account_says_who_may_take_it" {
  command = apply

  variables {
    deploy_role = {}
  }

  assert {
    condition     = jsondecode(module.deploy_role[0].trust).Statement[0].Principal.AWS == ["arn:aws:iam::111111111111:root"]
    error_message = "its own policies decide"
  }

  assert {
    condition     = one([for one in module.deploy_role[0].statements : one.Resource if one.Sid == "PassTaskRoles"]) == tolist(module.roles.passed_role_arns)
    error_message = "the roles of this environment's tasks are passed, and no other"
  }

  assert {
    condition     = output.deploy_role == "arn:aws:iam::111111111111:role/mock"
    error_message = "its ARN is an output"
  }
}

run "only_those_who_are_named" {
  command = plan

  variables {
    deploy_role = { trusted_principals = ["arn:aws:iam::111111111111:role/release-people"], require_mfa = true }
  }

  assert {
    condition     = jsondecode(module.deploy_role[0].trust).Statement[0].Principal.AWS == ["arn:aws:iam::111111111111:role/release-people"]
    error_message = "and not the whole account"
  }

  assert {
    condition     = jsondecode(module.deploy_role[0].trust).Statement[0].Condition.Bool["aws:MultiFactorAuthPresent"] == "true"
    error_message = "with a second factor"
  }
}

run "a_job_that_deploys_is_trusted_and_nobody_else" {
  command = apply

  variables {
    ci_identity = {
      signers = { github = {} }
      jobs    = { deploy = { trusted = { github = ["repo:example/shop:ref:refs/heads/main"] } } }
    }
  }

  assert {
    condition     = [for one in jsondecode(module.deploy_role[0].trust).Statement : one.Action] == ["sts:AssumeRoleWithWebIdentity"]
    error_message = "the job's token is the only way in"
  }
}

run "it_moves_the_schedules_of_the_scheduled_tasks" {
  command = apply

  variables {
    deploy_role     = {}
    scheduled_tasks = { cleanup = { schedule = "rate(1 hour)", containers = { task = { role = "job" } } } }
  }

  assert {
    condition     = one([for one in module.deploy_role[0].statements : one.Resource if one.Sid == "MoveSchedules"]) == tolist([module.scheduled_task["cleanup"].arn])
    error_message = "the schedules, by their ARNs"
  }

  assert {
    condition     = one([for one in module.deploy_role[0].statements : one.Resource if one.Sid == "HandOverSchedulerRoles"]) == tolist([module.scheduled_task["cleanup"].role_arn])
    error_message = "and their roles, by their ARNs"
  }
}
