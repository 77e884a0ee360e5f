# What a deploy may do, and who may take the role. permissions.json is the one list: this policy, docs/iam.md, `inv env.doctor` and
# the tests that deploy as this role read it.

data "aws_partition" "this" {}

locals {
  values = {
    partition   = data.aws_partition.this.partition
    region      = var.region
    account_id  = var.account_id
    app         = var.app
    environment = var.environment
    name        = "${var.app}-${var.environment}"
  }

  # One placeholder after the other: `templatestring` takes no text that is a file's.
  text = replace(replace(replace(replace(replace(replace(file("${path.module}/permissions.json"),
    "{partition}", local.values.partition),
    "{region}", local.values.region),
    "{account_id}", local.values.account_id),
    "{environment}", local.values.environment),
    "{name}", local.values.name),
  "{app}", local.values.app)

  permissions = jsondecode(local.text)

  given = {
    build_parameters = var.build_parameters
    task_roles       = var.task_roles
    schedules        = var.schedules[*].arn
    scheduler_roles  = var.schedules[*].role_arn

    remote_builds = var.remote_build[*].project_arn
    build_sources = var.remote_build[*].sources_arn

    deployment_groups = var.deployment_groups[*].arn
    applications      = var.deployment_groups[*].application_arn
    deployments       = length(var.deployment_groups) == 0 ? [] : ["*"]
  }

  resources = { for name, scope in local.permissions.scopes : name => try(scope.resources, local.given[name]) }

  statements = [
    for one in local.permissions.statements : merge(
      { Sid = one.sid, Effect = "Allow", Action = keys(one.actions), Resource = local.resources[one.scope] },
      { for key, condition in { Condition = try(one.condition, null) } : key => condition if condition != null },
    ) if length(local.resources[one.scope]) > 0
  ]

  person = {
    Sid       = "People"
    Effect    = "Allow"
    Action    = "sts:AssumeRole"
    Principal = { AWS = var.trusted_principals }
    Condition = {
      for operator, keys in {
        Bool         = { for key, value in { "aws:MultiFactorAuthPresent" = "true" } : key => value if var.require_mfa }
        StringEquals = { for key, value in { "sts:ExternalId" = var.external_id } : key => value if value != null }
      } : operator => keys if length(keys) > 0
    }
  }

  # The provider's host is the prefix of its condition keys.
  jobs = [
    for name, one in var.web_identities : {
      Sid       = "Jobs${replace(title(replace(name, "/[^A-Za-z0-9]/", " ")), " ", "")}"
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = one.provider_arn }
      Condition = {
        StringEquals = { "${split("oidc-provider/", one.provider_arn)[1]}:aud" = one.audience }
        StringLike   = { "${split("oidc-provider/", one.provider_arn)[1]}:sub" = one.subjects }
      }
    }
  ]
}

# A policy of its own, so that other roles (of a CI system, of people) can have just this.
resource "aws_iam_policy" "deploy" {
  name        = "${local.values.name}-deploy"
  description = "What inv deploy needs for ${var.app} in ${var.environment}, and nothing else"

  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

resource "aws_iam_role" "deploy" {
  name                 = "${local.values.name}-deploy"
  description          = "Releases ${var.app} to ${var.environment}"
  max_session_duration = var.max_session_seconds
  permissions_boundary = var.permissions_boundary

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for one in [local.person] : { for key, value in one : key => value if key != "Condition" || length(keys(one.Condition)) > 0 } if length(var.trusted_principals) > 0],
      local.jobs,
    )
  })
}

resource "aws_iam_role_policy_attachment" "deploy" {
  role       = aws_iam_role.deploy.name
  policy_arn = aws_iam_policy.deploy.arn
}
