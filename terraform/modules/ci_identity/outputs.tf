output "provider_arns" {
  description = "The OIDC providers, made or adopted, by `github`, `gitlab`, `circleci`."
  value       = local.arns
}

output "web_identities" {
  description = "By job, whom a role for it trusts: for each signer the provider's ARN, and the token's audience and subjects."
  value       = local.web_identities
}

output "role_arns" {
  description = "The roles that were made, by job."
  value       = { for job, role in aws_iam_role.this : job => role.arn }
}
