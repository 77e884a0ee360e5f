variable "name" {
  description = "Name of the application, its group and its role, for example `shop-stg-web`."
  type        = string
}

variable "cluster_arn" {
  description = "Cluster of the service."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[^/]+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of an ECS cluster; it is ${var.cluster_arn}."
  }
}

variable "service_name" {
  description = "The service, whose deployment controller is CODE_DEPLOY."
  type        = string
}

variable "listener" {
  description = "Listener that users come in by."
  type        = string
}

variable "test_listener" {
  description = "Listener where the new version is shown first; null for none."
  type        = string
  default     = null
}

variable "target_group_names" {
  description = "The two target groups that are swapped, by name."
  type        = list(string)

  validation {
    condition     = length(var.target_group_names) == 2
    error_message = "CodeDeploy swaps two target groups; these are ${join(", ", var.target_group_names)}."
  }
}

variable "traffic" {
  description = "How traffic moves: `all-at-once`; `linear`, `percent` more every `interval_minutes`; or `canary`, `percent` first and the rest after `interval_minutes`."
  type = object({
    shift            = optional(string, "all-at-once")
    percent          = optional(number, 10)
    interval_minutes = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["all-at-once", "linear", "canary"], var.traffic.shift)
    error_message = "traffic.shift must be all-at-once, linear or canary; it is ${var.traffic.shift}."
  }

  validation {
    condition     = var.traffic.percent >= 1 && var.traffic.percent <= 99 && floor(var.traffic.percent) == var.traffic.percent
    error_message = "traffic.percent must be a whole number from 1 to 99; it is ${var.traffic.percent}."
  }

  validation {
    condition     = var.traffic.interval_minutes >= 1 && floor(var.traffic.interval_minutes) == var.traffic.interval_minutes
    error_message = "traffic.interval_minutes must be a whole number, 1 or more; it is ${var.traffic.interval_minutes}."
  }
}

variable "ready_wait_minutes" {
  description = "How long the new version waits on the test listener for `inv continue`; then the deployment is stopped. 0: it waits for nobody."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.ready_wait_minutes >= 0 && var.ready_wait_minutes <= 2880
    error_message = "ready_wait_minutes must be between 0 and 2880; it is ${var.ready_wait_minutes}."
  }
}

variable "termination_wait_minutes" {
  description = "How long the original tasks stay once all traffic is on the new ones: so long a way back takes seconds, and the deploy waits."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.termination_wait_minutes >= 0 && var.termination_wait_minutes <= 2880
    error_message = "termination_wait_minutes must be between 0 and 2880; it is ${var.termination_wait_minutes}."
  }
}

variable "alarms" {
  description = "CloudWatch alarms, by name, that stop a deployment and bring the traffic back; ten at most."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.alarms) <= 10
    error_message = "CodeDeploy watches ten alarms at most; these are ${length(var.alarms)}."
  }
}

variable "hooks" {
  description = "Lambda functions, by ARN, that are called at a lifecycle event and can end the deployment."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setsubtract(keys(var.hooks), ["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"])) == 0
    error_message = "hooks are called at BeforeInstall, AfterInstall, AfterAllowTestTraffic, BeforeAllowTraffic or AfterAllowTraffic; these are ${join(", ", keys(var.hooks))}."
  }

  validation {
    condition     = alltrue([for function in values(var.hooks) : can(regex("^arn:[a-z-]+:lambda:", function))])
    error_message = "hooks are the ARNs of Lambda functions: ${join(", ", values(var.hooks))}."
  }
}
