output "name" {
  description = "The schedule, in the group `default`."
  value       = aws_scheduler_schedule.this.name
}

output "arn" {
  description = "The schedule's ARN."
  value       = aws_scheduler_schedule.this.arn
}

output "role_arn" {
  description = "Role of the scheduler: whoever sets the schedule to another revision hands it over (`iam:PassRole`)."
  value       = aws_iam_role.scheduler.arn
}

output "undelivered" {
  description = "Queue of what could not be started, by name; null without one."
  value       = one(aws_sqs_queue.undelivered[*].name)
}
