variable "name" {
  description = "Name of the service, for example `shop-stg-web`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,62}$", var.name))
    error_message = "name must be 2-63 characters of a-z, 0-9 and -, and start with a letter; it is ${var.name}."
  }
}

variable "cluster_arn" {
  description = "Cluster the service runs in."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[^/]+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of an ECS cluster; it is ${var.cluster_arn}."
  }
}

variable "template_arn" {
  description = "Revision of the template that the service stands on until its first deploy."
  type        = string
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

variable "load_balancer" {
  description = "Which container gets the load balancer's requests, on which port: `arn` is the load balancer's, `target_group` the target group's; `green_target_group` is the other one, where deployments swap two."
  type = object({
    container            = string
    port                 = number
    arn                  = string
    target_group         = string
    green_target_group   = optional(string)
    security_group       = string
    grace_period_seconds = number
  })
  default = null

  validation {
    condition     = var.load_balancer == null || try(var.load_balancer.grace_period_seconds >= 0 && var.load_balancer.grace_period_seconds <= 2147483647, false)
    error_message = "load_balancer.grace_period_seconds must be 0 or more; it is ${try(var.load_balancer.grace_period_seconds, 0)}."
  }
}

variable "deployment" {
  description = <<-EOT
    How far a rollout may go below and above the desired count, in percent; and what ends it beside the circuit breaker: `errors_per_minute`, when the
    application answers with more 5xx than that, and `alarms`, when one of these CloudWatch alarms (by name) goes off.
  EOT
  type = object({
    minimum_healthy_percent = optional(number, 100)
    maximum_percent         = optional(number, 200)
    errors_per_minute       = optional(number)
    alarms                  = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.deployment.minimum_healthy_percent >= 0 && var.deployment.minimum_healthy_percent <= 100 && var.deployment.maximum_percent >= 100
    error_message = "minimum_healthy_percent must be between 0 and 100, maximum_percent at least 100; they are ${var.deployment.minimum_healthy_percent} and ${var.deployment.maximum_percent}."
  }

  validation {
    condition     = var.deployment.maximum_percent > 100 || var.deployment.minimum_healthy_percent < 100
    error_message = "with minimum_healthy_percent = 100 and maximum_percent = 100 a rollout can neither stop nor start a task."
  }

  validation {
    condition     = var.deployment.errors_per_minute == null || try(var.deployment.errors_per_minute >= 0, false)
    error_message = "errors_per_minute must be 0 or more; it is ${coalesce(var.deployment.errors_per_minute, 0)}."
  }

  validation {
    condition     = var.deployment.errors_per_minute == null || var.load_balancer != null
    error_message = "errors_per_minute is counted by the load balancer, and there is none before ${var.name}."
  }
}

variable "deployment_controller" {
  description = "Who gives the service a new revision: ECS, or CODE_DEPLOY. AWS wants a new service for another one: decide it before the first deploy."
  type        = string
  default     = "ECS"
  nullable    = false

  validation {
    condition     = contains(["ECS", "CODE_DEPLOY"], var.deployment_controller)
    error_message = "deployment_controller must be ECS or CODE_DEPLOY; it is ${var.deployment_controller}."
  }

  validation {
    condition     = var.deployment_controller == "ECS" || try(var.load_balancer.green_target_group, null) != null
    error_message = "CodeDeploy swaps two target groups, and ${var.name} has no second one."
  }
}

variable "capacity" {
  description = <<-EOT
    How tasks are divided between Fargate and Fargate Spot: the first `on_demand_base` are on demand, the others by weight. Without it all are on demand.
    From none to some, or back, AWS wants a new service: decide it before the first deploy.
  EOT
  type = object({
    on_demand_base   = optional(number, 0)
    on_demand_weight = optional(number, 1)
    spot_weight      = optional(number, 0)
  })
  default = null

  validation {
    condition = var.capacity == null || try(alltrue([
      for weight in [var.capacity.on_demand_weight, var.capacity.spot_weight] : weight >= 0 && weight <= 1000
    ]) && var.capacity.on_demand_base >= 0 && var.capacity.on_demand_base <= 100000, false)
    error_message = "capacity: weights are 0-1000, on_demand_base 0-100000; they are ${jsonencode(var.capacity)}."
  }

  validation {
    condition     = var.capacity == null || try(var.capacity.on_demand_weight + var.capacity.spot_weight > 0, false)
    error_message = "capacity: one of on_demand_weight and spot_weight must be above 0, or nothing could be placed beyond the base."
  }
}

variable "scaling" {
  description = <<-EOT
    Between how many tasks the auto scaling moves, and what it keeps: `cpu_percent` and `memory_percent` of the tasks, `requests_per_task` a minute. It
    waits `scale_out_seconds` and `scale_in_seconds` after a step. Without it the desired count is changed by hand only.
  EOT
  type = object({
    minimum           = number
    maximum           = number
    cpu_percent       = optional(number)
    memory_percent    = optional(number)
    requests_per_task = optional(number)
    scale_out_seconds = optional(number, 60)
    scale_in_seconds  = optional(number, 300)
  })
  default = null

  validation {
    condition     = var.scaling == null || try(var.scaling.minimum >= 0 && var.scaling.minimum <= var.scaling.maximum && var.scaling.maximum >= 1, false)
    error_message = "scaling: minimum must be 0 or more and not above maximum; they are ${try(var.scaling.minimum, 0)} and ${try(var.scaling.maximum, 0)}."
  }

  validation {
    condition     = var.scaling == null || try(anytrue([for target in [var.scaling.cpu_percent, var.scaling.memory_percent, var.scaling.requests_per_task] : target != null]), false)
    error_message = "scaling of ${var.name} needs cpu_percent, memory_percent or requests_per_task, or nothing would ever be scaled."
  }

  validation {
    condition     = alltrue([for target in [try(var.scaling.cpu_percent, null), try(var.scaling.memory_percent, null)] : target >= 1 && target <= 100 if target != null])
    error_message = "scaling: cpu_percent and memory_percent are 1-100; they are ${jsonencode([try(var.scaling.cpu_percent, null), try(var.scaling.memory_percent, null)])}."
  }

  validation {
    condition     = try(var.scaling.requests_per_task, null) == null || try(var.scaling.requests_per_task >= 1 && var.load_balancer != null, false)
    error_message = "scaling: requests_per_task is 1 or more, and needs a load balancer before ${var.name}; it is ${try(coalesce(var.scaling.requests_per_task), 0)}."
  }

  validation {
    condition     = var.scaling == null || try(min(var.scaling.scale_out_seconds, var.scaling.scale_in_seconds) >= 0 && max(var.scaling.scale_out_seconds, var.scaling.scale_in_seconds) <= 3600, false)
    error_message = "scaling: scale_out_seconds and scale_in_seconds are 0-3600; they are ${jsonencode([try(var.scaling.scale_out_seconds, null), try(var.scaling.scale_in_seconds, null)])}."
  }
}

variable "discovery" {
  description = "Name under which the service is found in a private DNS namespace, and the namespace's id."
  type = object({
    name         = string
    namespace_id = string
  })
  default = null

  validation {
    condition     = var.discovery == null || can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.discovery.name))
    error_message = "discovery.name must be one label of a host name; it is ${try(var.discovery.name, "-")}."
  }
}

variable "execute_command" {
  description = "Whether `aws ecs execute-command` may open a shell in its tasks."
  type        = bool
  default     = false
  nullable    = false
}
