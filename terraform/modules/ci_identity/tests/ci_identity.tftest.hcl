mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::111111111111:oidc-provider/mock" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/mock" }
  }
}

variables {
  name = "shop-stg"

  signers = {
    github   = {}
    gitlab   = { url = "https://gitlab.acme.example" }
    circleci = { organization = "8d4f1a2b-0c3d-4e5f-8a9b-0c1d2e3f4a5b" }
  }

  jobs = {
    deploy = {
      trusted = {
        github   = ["repo:acme/shop:environment:stg", "repo:acme@12/shop@34:ref:refs/tags/v*"]
        gitlab   = ["project_path:acme/web/shop:ref_type:branch:ref:main"]
        circleci = ["org/8d4f1a2b-0c3d-4e5f-8a9b-0c1d2e3f4a5b/project/11111111-2222-3333-4444-555555555555/user/*"]
      }
    }
    plan = {
      trusted         = { github = ["repo:acme/shop:pull_request"] }
      policy_arns     = ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111111111111:policy/state"]
      session_minutes = 120
      boundary_arn    = "arn:aws:iam::111111111111:policy/boundary"
    }
  }
}

run "each_signer_has_its_url_and_audience" {
  command = plan

  assert {
    condition = { for kind, one in aws_iam_openid_connect_provider.this : kind => [one.url, tolist(one.client_id_list)] } == {
      github   = ["https://token.actions.githubusercontent.com", tolist(["sts.amazonaws.com"])]
      gitlab   = ["https://gitlab.acme.example", tolist(["https://gitlab.acme.example"])]
      circleci = ["https://oidc.circleci.com/org/8d4f1a2b-0c3d-4e5f-8a9b-0c1d2e3f4a5b", tolist(["8d4f1a2b-0c3d-4e5f-8a9b-0c1d2e3f4a5b"])]
    }
    error_message = "github, a GitLab of one's own, and CircleCI's organization"
  }

  assert {
    condition = output.web_identities.deploy.github == {
      provider_arn = "arn:aws:iam::111111111111:oidc-provider/mock"
      audience     = "sts.amazonaws.com"
      subjects     = tolist(["repo:acme/shop:environment:stg", "repo:acme@12/shop@34:ref:refs/tags/v*"])
    } && keys(output.web_identities.deploy) == ["circleci", "github", "gitlab"]
    error_message = "the deploy role is told whom to trust"
  }

  assert {
    condition = jsondecode(aws_iam_role.this["plan"].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "arn:aws:iam::111111111111:oidc-provider/mock" }
      Condition = {
        StringEquals = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
        StringLike   = { "token.actions.githubusercontent.com:sub" = ["repo:acme/shop:pull_request"] }
      }
    }]
    error_message = "the role takes a token that was made for AWS, of that project's jobs only"
  }

  assert {
    condition     = keys(aws_iam_role.this) == ["plan"] && aws_iam_role.this["plan"].name == "shop-stg-ci-plan" && aws_iam_role.this["plan"].max_session_duration == 7200 && aws_iam_role.this["plan"].permissions_boundary == "arn:aws:iam::111111111111:policy/boundary"
    error_message = "a job without policies has no role of its own"
  }

  assert {
    condition     = toset([for one in values(aws_iam_role_policy_attachment.this) : one.policy_arn]) == toset(["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111111111111:policy/state"]) && output.role_arns == { plan = "arn:aws:iam::111111111111:role/mock" }
    error_message = "the role may do what it was given"
  }
}

run "a_provider_that_is_there_is_adopted" {
  command = plan

  variables {
    signers = { github = { arn = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com", audience = "https://github.com/acme" } }
    jobs    = { deploy = { trusted = { github = ["repo:acme/shop:ref:refs/heads/main"] } } }
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0 && output.provider_arns == { github = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com" }
    error_message = "an account has one provider for each URL"
  }

  assert {
    condition     = output.web_identities.deploy.github.audience == "https://github.com/acme"
    error_message = "a job may ask for another audience"
  }
}

run "without_a_ci_system_there_is_nothing" {
  command = plan

  variables {
    signers = {}
    jobs    = {}
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) + length(aws_iam_role.this) == 0
    error_message = "nobody is trusted by default"
  }
}
