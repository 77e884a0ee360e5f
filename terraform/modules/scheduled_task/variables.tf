variable "name" {
  description = "Name of the schedule, for example `shop-stg-cleanup`; also the family that a deploy registers revisions in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,53}$", var.name))
    error_message = "name must be 2-54 characters of a-z, 0-9 and -, and start with a letter; it is ${var.name}."
  }
}

variable "cluster_arn" {
  description = "Cluster the tasks run in."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[^/]+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of an ECS cluster; it is ${var.cluster_arn}."
  }
}

variable "template_arn" {
  description = "Revision of the template that the schedule stands on until the first deploy."
  type        = string
}

variable "passed_role_arns" {
  description = "Roles that a task of it runs with: its own and the execution role."
  type        = list(string)

  validation {
    condition     = length(var.passed_role_arns) > 0 && !anytrue([for arn in var.passed_role_arns : strcontains(arn, "*")])
    error_message = "passed_role_arns are the roles of its tasks, without wildcards: ${join(", ", var.passed_role_arns)}."
  }
}

variable "subnets" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "security_group" {
  description = "Security group of the tasks."
  type        = string
}

variable "assign_public_ip" {
  description = "Whether a task has a public address: it needs one where no NAT gateway leads out."
  type        = bool
}

variable "expression" {
  description = "When: `cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR)` in `time_zone`, or `rate(5 minutes)`."
  type        = string

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minutes?|hours?|days?)\\)|cron\\([^ ]+( [^ ]+){5}\\))$", var.expression))
    error_message = "a schedule is cron(…) with six fields, or rate(5 minutes); it is ${var.expression}."
  }
}

variable "time_zone" {
  description = "Time zone of `cron(…)`, by its name in the IANA database."
  type        = string
  default     = "UTC"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$", var.time_zone))
    error_message = "time_zone must look like Asia/Tokyo; it is ${var.time_zone}."
  }
}

variable "window_minutes" {
  description = "How much later than said it may start, so that not everything starts at the full hour; 0: at once."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.window_minutes >= 0 && var.window_minutes <= 1440
    error_message = "window_minutes must be between 0 and 1440; it is ${var.window_minutes}."
  }
}

variable "tasks" {
  description = "How many tasks are started each time."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.tasks >= 1 && var.tasks <= 10
    error_message = "a schedule starts 1-10 tasks at a time, not ${var.tasks}."
  }
}

variable "spot" {
  description = "Whether its tasks run on Fargate Spot: AWS may end them with two minutes' notice, and nothing starts them again."
  type        = bool
  default     = false
  nullable    = false
}

variable "retry" {
  description = "How often, and for how long, a start is tried again that AWS refused. (A task that started and failed is not started again.)"
  type = object({
    attempts = optional(number, 3)
    seconds  = optional(number, 900)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.retry.attempts >= 0 && var.retry.attempts <= 185 && var.retry.seconds >= 60 && var.retry.seconds <= 86400
    error_message = "retry: attempts 0-185, seconds 60-86400; they are ${var.retry.attempts} and ${var.retry.seconds}."
  }
}

variable "undelivered_days" {
  description = "How long a queue keeps word of what could not be started; without it nobody is told."
  type        = number
  default     = null

  validation {
    condition     = var.undelivered_days == null || try(var.undelivered_days >= 1 && var.undelivered_days <= 14, false)
    error_message = "undelivered_days must be between 1 and 14; it is ${coalesce(var.undelivered_days, 0)}."
  }
}
