variable "name" {
  description = "Name of the service, for example `shop-stg-web`; also the family that a deploy registers revisions in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,62}$", var.name))
    error_message = "name must be 2-63 characters of a-z, 0-9 and -, and start with a letter; it is ${var.name}."
  }
}

variable "region" {
  description = "Region of the log group."
  type        = string
}

variable "cluster_arn" {
  description = "Cluster the service runs in."
  type        = string
}

variable "repository_url" {
  description = "Repository whose images a deploy fills in."
  type        = string
}

variable "log_group" {
  description = "Name of the log group of all containers."
  type        = string
}

variable "task_role_arn" {
  description = "Role the application runs as."
  type        = string
}

variable "execution_role_arn" {
  description = "Role ECS uses to pull images, read secrets and write logs."
  type        = string
}

variable "vpc_id" {
  description = "VPC of the tasks."
  type        = string
}

variable "subnets" {
  description = "Subnets of the tasks."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "Whether a task has a public address: it needs one where no NAT gateway leads out."
  type        = bool
}

variable "cpu" {
  description = "CPU units of a task; 1024 are one core."
  type        = number

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "Fargate offers cpu = 256, 512, 1024, 2048, 4096, 8192 or 16384, not ${var.cpu}."
  }
}

variable "memory" {
  description = "Memory of a task in MiB."
  type        = number

  validation {
    condition = contains(lookup({
      256   = [512, 1024, 2048]
      512   = range(1024, 4097, 1024)
      1024  = range(2048, 8193, 1024)
      2048  = range(4096, 16385, 1024)
      4096  = range(8192, 30721, 1024)
      8192  = range(16384, 61441, 4096)
      16384 = range(32768, 122881, 8192)
    }, tostring(var.cpu), [var.memory]), var.memory)
    error_message = "Fargate does not offer cpu = ${var.cpu} with memory = ${var.memory}."
  }
}

variable "containers" {
  description = "Containers by name. Either `role`: the image this project builds for that role, filled in by a deploy; or `image`: a side-car, Terraform's."
  type = map(object({
    role                 = optional(string)
    image                = optional(string)
    essential            = optional(bool, true)
    command              = optional(list(string))
    port                 = optional(number)
    stop_timeout_seconds = optional(number, 30)
    environment          = optional(map(string), {})
    secrets              = optional(map(string), {})
    depends_on           = optional(map(string), {})
    health_check = optional(object({
      command              = list(string)
      interval_seconds     = optional(number, 10)
      timeout_seconds      = optional(number, 5)
      retries              = optional(number, 3)
      start_period_seconds = optional(number, 10)
    }))
  }))

  validation {
    condition     = alltrue([for container in values(var.containers) : (container.role == null) != (container.image == null)])
    error_message = "each container has either `role` or `image`; look at: ${join(", ", [for name, container in var.containers : name if(container.role == null) == (container.image == null)])}."
  }

  validation {
    condition     = anytrue([for container in values(var.containers) : container.role != null])
    error_message = "at least one container must have a `role`, or there is nothing to deploy."
  }

  validation {
    condition     = anytrue([for container in values(var.containers) : container.essential])
    error_message = "at least one container must be essential, or the task never ends."
  }

  validation {
    condition     = length(distinct([for container in values(var.containers) : container.port if container.port != null])) == length([for container in values(var.containers) : container.port if container.port != null])
    error_message = "the containers of a task share one network address: each needs a port of its own."
  }

  validation {
    condition     = alltrue([for container in values(var.containers) : container.stop_timeout_seconds >= 2 && container.stop_timeout_seconds <= 120])
    error_message = "stop_timeout_seconds must be between 2 and 120."
  }

  validation {
    condition = alltrue([for check in values(var.containers)[*].health_check : (
      check.interval_seconds >= 5 && check.interval_seconds <= 300 && check.timeout_seconds >= 2 && check.timeout_seconds <= 60 &&
      check.retries >= 1 && check.retries <= 10 && check.start_period_seconds >= 0 && check.start_period_seconds <= 300
    ) if check != null])
    error_message = "a container's health_check: interval_seconds 5-300, timeout_seconds 2-60, retries 1-10, start_period_seconds 0-300."
  }

  validation {
    condition = alltrue(flatten([for container in values(var.containers) : [
      for other, condition in container.depends_on : contains(keys(var.containers), other) && contains(["START", "COMPLETE", "SUCCESS", "HEALTHY"], condition)
    ]]))
    error_message = "depends_on maps another container of the task to START, COMPLETE, SUCCESS or HEALTHY."
  }

  validation {
    condition = alltrue([for container in values(var.containers) : alltrue([
      for condition in [for other, condition in container.depends_on : other if condition == "HEALTHY"] : try(var.containers[condition].health_check != null, false)
    ])])
    error_message = "depends_on HEALTHY needs a health_check on the other container."
  }

  validation {
    condition     = alltrue([for container in values(var.containers) : length(setintersection(keys(container.environment), keys(container.secrets))) == 0])
    error_message = "a name may be in `environment` or in `secrets`, not in both."
  }
}

variable "load_balancer" {
  description = "Which container gets the load balancer's requests, on its `port`."
  type = object({
    container            = string
    target_group         = string
    security_group       = string
    grace_period_seconds = number
  })
  default = null

  validation {
    condition     = var.load_balancer == null || try(var.containers[var.load_balancer.container].port != null, false)
    error_message = "load_balancer.container must be a container with a `port`."
  }
}

variable "deployment" {
  description = "How far a rollout may go below and above the desired count, in percent."
  type = object({
    minimum_healthy_percent = number
    maximum_percent         = number
  })

  validation {
    condition     = var.deployment.minimum_healthy_percent >= 0 && var.deployment.minimum_healthy_percent <= 100 && var.deployment.maximum_percent >= 100
    error_message = "minimum_healthy_percent must be between 0 and 100, maximum_percent at least 100."
  }

  validation {
    condition     = var.deployment.maximum_percent > 100 || var.deployment.minimum_healthy_percent < 100
    error_message = "with minimum_healthy_percent = 100 and maximum_percent = 100 a rollout can neither stop nor start a task."
  }
}
