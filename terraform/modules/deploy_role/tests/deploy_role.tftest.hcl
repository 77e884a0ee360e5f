mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111111111111:policy/shop-stg-deploy" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/shop-stg-deploy" }
  }
}

variables {
  app                = "shop"
  environment        = "stg"
  account_id         = "111111111111"
  region             = "ap-northeast-1"
  task_roles         = ["arn:aws:iam::111111111111:role/shop-stg-execution", "arn:aws:iam::111111111111:role/shop-stg-task"]
  trusted_principals = ["arn:aws:iam::111111111111:root"]
}

run "the_policy_names_this_environment_and_nothing_else" {
  command = apply

  assert {
    condition     = jsondecode(aws_iam_policy.deploy.policy).Statement[0] == { Sid = "ReadContract", Effect = "Allow", Action = ["ssm:GetParameter"], Resource = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/stg/contract"] }
    error_message = "the contract is one parameter"
  }

  assert {
    condition     = [for one in output.statements : one.Sid if contains(one.Resource, "*")] == ["SignInToRegistry", "ReadTaskDefinitions", "Register", "FindTasks", "KnowTargets", "KnowLogGroups"]
    error_message = "`*` stands only where IAM knows no resource"
  }

  assert {
    condition     = one([for one in output.statements : one.Condition if one.Sid == "FindTasks"]) == { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg" } }
    error_message = "tasks are listed in this cluster only"
  }

  assert {
    condition     = one([for one in output.statements : { roles = one.Resource, service = one.Condition.StringEquals["iam:PassedToService"] } if contains(one.Action, "iam:PassRole")]) == { roles = var.task_roles, service = "ecs-tasks.amazonaws.com" }
    error_message = "only the app's roles are passed, and only to its tasks"
  }

  assert {
    condition     = !strcontains(aws_iam_policy.deploy.policy, "{") || length(regexall("\\{[a-z_]+\\}", aws_iam_policy.deploy.policy)) == 0
    error_message = "no placeholder is left"
  }

  assert {
    condition     = length([for one in output.statements : one if one.Sid == "ReadBuildParameters"]) == 0
    error_message = "without build parameters there is no statement about them"
  }

  assert {
    condition     = aws_iam_role_policy_attachment.deploy.policy_arn == aws_iam_policy.deploy.arn && output.role_arn == "arn:aws:iam::111111111111:role/shop-stg-deploy"
    error_message = "the role has the policy"
  }
}

run "people_take_the_role_without_conditions_by_default" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement == [
      { Sid = "People", Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = ["arn:aws:iam::111111111111:root"] } },
    ]
    error_message = "whom the account lets"
  }
}

run "people_may_have_to_show_a_second_factor_and_an_external_id" {
  command = plan

  variables {
    require_mfa = true
    external_id = "shop-4711"
  }

  assert {
    condition     = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement[0].Condition == { Bool = { "aws:MultiFactorAuthPresent" = "true" }, StringEquals = { "sts:ExternalId" = "shop-4711" } }
    error_message = "both conditions stand in the trust"
  }
}

run "jobs_of_a_ci_system_take_the_role_by_their_token" {
  command = plan

  variables {
    trusted_principals = []
    web_identities = {
      github-main = {
        provider_arn = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com"
        subjects     = ["repo:example/shop:ref:refs/heads/main"]
      }
    }
  }

  assert {
    condition = jsondecode(aws_iam_role.deploy.assume_role_policy).Statement == [{
      Sid       = "JobsGithubMain"
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com" }
      Condition = {
        StringEquals = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
        StringLike   = { "token.actions.githubusercontent.com:sub" = ["repo:example/shop:ref:refs/heads/main"] }
      }
    }]
    error_message = "the provider, its audience, and whose jobs"
  }
}

run "build_parameters_can_be_read" {
  command = plan

  variables {
    build_parameters = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/npm"]
  }

  assert {
    condition     = one([for one in output.statements : one.Resource if one.Sid == "ReadBuildParameters"]) == tolist(["arn:aws:ssm:ap-northeast-1:111111111111:parameter/shop/npm"])
    error_message = "just those"
  }
}

run "without_schedules_nothing_is_said_of_any" {
  command = plan

  assert {
    condition     = length([for one in output.statements : one if contains(["MoveSchedules", "HandOverSchedulerRoles"], one.Sid)]) == 0
    error_message = "no schedule, no statement"
  }
}

run "schedules_can_be_moved_and_their_roles_handed_to_the_scheduler" {
  command = plan

  variables {
    schedules = [{ arn = "arn:aws:scheduler:ap-northeast-1:111111111111:schedule/default/shop-stg-cleanup", role_arn = "arn:aws:iam::111111111111:role/shop-stg-cleanup-scheduler" }]
  }

  assert {
    condition     = one([for one in output.statements : one.Resource if one.Sid == "MoveSchedules"]) == var.schedules[*].arn
    error_message = "just those"
  }

  assert {
    condition     = one([for one in output.statements : { roles = one.Resource, service = one.Condition.StringEquals["iam:PassedToService"] } if one.Sid == "HandOverSchedulerRoles"]) == { roles = var.schedules[*].role_arn, service = "scheduler.amazonaws.com" }
    error_message = "their roles, and to the scheduler only"
  }
}

run "schedules_by_pattern_are_refused" {
  command = plan
  variables { schedules = [{ arn = "arn:aws:scheduler:ap-northeast-1:111111111111:schedule/default/*", role_arn = "arn:aws:iam::111111111111:role/shop-stg-cleanup-scheduler" }] }
  expect_failures = [var.schedules]
}

run "scheduler_roles_by_pattern_are_refused" {
  command = plan
  variables { schedules = [{ arn = "arn:aws:scheduler:ap-northeast-1:111111111111:schedule/default/shop-stg-cleanup", role_arn = "arn:aws:iam::111111111111:role/*" }] }
  expect_failures = [var.schedules]
}

run "a_boundary_and_a_longer_session_are_passed_on" {
  command = plan

  variables {
    permissions_boundary = "arn:aws:iam::111111111111:policy/boundary"
    max_session_seconds  = 7200
  }

  assert {
    condition     = aws_iam_role.deploy.permissions_boundary == "arn:aws:iam::111111111111:policy/boundary" && aws_iam_role.deploy.max_session_duration == 7200
    error_message = "as they were given"
  }
}

run "an_app_with_capitals_is_refused" {
  command = plan
  variables { app = "Shop" }
  expect_failures = [var.app]
}

run "an_environment_with_capitals_is_refused" {
  command = plan
  variables { environment = "Stg" }
  expect_failures = [var.environment]
}

run "an_account_that_is_no_number_is_refused" {
  command = plan
  variables { account_id = "staging" }
  expect_failures = [var.account_id]
}

run "roles_by_pattern_are_refused" {
  command = plan
  variables { task_roles = ["arn:aws:iam::111111111111:role/shop-*"] }
  expect_failures = [var.task_roles]
}

run "no_task_roles_at_all_are_refused" {
  command = plan
  variables { task_roles = [] }
  expect_failures = [var.task_roles]
}

run "build_parameters_by_name_are_refused" {
  command = plan
  variables { build_parameters = ["/shop/npm"] }
  expect_failures = [var.build_parameters]
}

run "everybody_as_principal_is_refused" {
  command = plan
  variables { trusted_principals = ["*"] }
  expect_failures = [var.trusted_principals]
}

run "a_role_that_nobody_can_take_is_refused" {
  command = plan
  variables { trusted_principals = [] }
  expect_failures = [var.trusted_principals]
}

run "an_external_id_with_spaces_is_refused" {
  command = plan
  variables { external_id = "shop 4711" }
  expect_failures = [var.external_id]
}

run "a_provider_that_is_a_url_is_refused" {
  command = plan

  variables {
    web_identities = { github = { provider_arn = "https://token.actions.githubusercontent.com/oidc-provider/x", subjects = ["repo:example/shop:*"] } }
  }

  expect_failures = [var.web_identities]
}

run "anybody_s_jobs_are_refused" {
  command = plan

  variables {
    web_identities = { github = { provider_arn = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com", subjects = ["*"] } }
  }

  expect_failures = [var.web_identities]
}

run "a_session_longer_than_a_day_is_refused" {
  command = plan
  variables { max_session_seconds = 90000 }
  expect_failures = [var.max_session_seconds]
}

run "a_boundary_that_is_a_role_is_refused" {
  command = plan
  variables { permissions_boundary = "arn:aws:iam::111111111111:role/boundary" }
  expect_failures = [var.permissions_boundary]
}
