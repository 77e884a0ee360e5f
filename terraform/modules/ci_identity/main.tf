# Who a job of a CI system is: the system signs a token for each job, AWS trusts the signature, and a role says which jobs may take it.
# No key is kept anywhere. An account has at most one provider for each URL: one that is there already is adopted by its ARN.

locals {
  usual = {
    github   = { url = "https://token.actions.githubusercontent.com", audience = "sts.amazonaws.com" }
    gitlab   = { url = "https://gitlab.com", audience = try(coalesce(var.signers["gitlab"].url, "https://gitlab.com"), null) }
    circleci = { url = try("https://oidc.circleci.com/org/${var.signers["circleci"].organization}", null), audience = try(var.signers["circleci"].organization, null) }
  }

  signers = {
    for kind, signer in var.signers : kind => {
      url      = coalesce(signer.url, local.usual[kind].url)
      audience = coalesce(signer.audience, local.usual[kind].audience)
      adopted  = signer.arn
    }
  }

  arns = { for kind, signer in local.signers : kind => signer.adopted != null ? signer.adopted : aws_iam_openid_connect_provider.this[kind].arn }

  web_identities = {
    for job, one in var.jobs : job => {
      for kind, subjects in one.trusted : kind => {
        provider_arn = local.arns[kind]
        audience     = local.signers[kind].audience
        subjects     = subjects
      }
    }
  }

  # The audience must be equal: the token was made for AWS. The subject says which project, and which branch or environment of it.
  trust = {
    for job, identities in local.web_identities : job => [
      for kind, identity in identities : {
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = identity.provider_arn }
        Condition = {
          StringEquals = { "${trimprefix(local.signers[kind].url, "https://")}:aud" = identity.audience }
          StringLike   = { "${trimprefix(local.signers[kind].url, "https://")}:sub" = identity.subjects }
        }
      }
    ]
  }

  roles       = { for job, one in var.jobs : job => one if length(one.policy_arns) > 0 }
  attachments = merge([for job, one in local.roles : { for arn in one.policy_arns : "${job} ${arn}" => { job = job, arn = arn } }]...)
}

resource "aws_iam_openid_connect_provider" "this" {
  for_each = { for kind, signer in local.signers : kind => signer if signer.adopted == null }

  url            = each.value.url
  client_id_list = [each.value.audience]
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${var.name}-ci-${each.key}"
  description          = "Taken by the CI system's job ${each.key}"
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = local.trust[each.key] })
  max_session_duration = each.value.session_minutes * 60
  permissions_boundary = each.value.boundary_arn
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = local.attachments

  role       = aws_iam_role.this[each.value.job].name
  policy_arn = each.value.arn
}
