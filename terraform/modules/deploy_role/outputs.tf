output "role_arn" {
  description = "Role of a deploy: account.role.arn of environments/ENV.toml."
  value       = aws_iam_role.deploy.arn

  depends_on = [aws_iam_role_policy_attachment.deploy]
}

output "role_name" {
  description = "The role's name."
  value       = aws_iam_role.deploy.name
}

output "policy_arn" {
  description = "What a deploy may do, for roles that somebody else makes."
  value       = aws_iam_policy.deploy.arn
}

output "statements" {
  description = "The statements of the policy."
  value       = local.statements
}

output "trust" {
  description = "Who may take the role, as JSON."
  value       = aws_iam_role.deploy.assume_role_policy
}
