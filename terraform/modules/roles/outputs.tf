output "execution_role_arn" {
  description = "Role for ECS itself."
  value       = aws_iam_role.execution.arn

  depends_on = [aws_iam_role_policy.execution]
}

output "task_role_arn" {
  description = "Role for the application."
  value       = aws_iam_role.task.arn
}
