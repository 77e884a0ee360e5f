output "execution_role_arn" {
  description = "Role for ECS itself."
  value       = aws_iam_role.execution.arn

  depends_on = [aws_iam_role_policy.execution]
}

output "task_role_arns" {
  description = "Role of the application, by service and scheduled task."
  value       = { for task, role in aws_iam_role.task : task => role.arn }

  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy_attachment.task]
}

output "passed_role_arns" {
  description = "Roles that whoever registers or starts tasks hands to ECS: what `iam:PassRole` is limited to."
  value       = concat([aws_iam_role.execution.arn], values(aws_iam_role.task)[*].arn)
}
