variable "name" {
  description = "Name of the service or schedule, for example `shop-stg-web`; also the family that a deploy registers revisions in."
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

variable "architecture" {
  description = "Processor that the images are built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"
  nullable    = false

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "architecture must be X86_64 or ARM64; it is ${var.architecture}."
  }
}

variable "ephemeral_storage_gib" {
  description = "Disk of a task in GiB, images included; without it Fargate's own 20."
  type        = number
  default     = null

  validation {
    condition     = var.ephemeral_storage_gib == null || try(var.ephemeral_storage_gib >= 21 && var.ephemeral_storage_gib <= 200, false)
    error_message = "ephemeral_storage_gib must be between 21 and 200, or left out for 20; it is ${coalesce(var.ephemeral_storage_gib, 20)}."
  }
}

variable "containers" {
  description = <<-EOT
    Containers by name. Either `role`: the image this project builds for that role, filled in by a deploy; or `image`: a side-car, Terraform's.
    `cpu` (units), `memory` and `memory_reservation` (MiB) divide the task's. `mounts` maps a path to the name of an empty volume that lives as long as
    the task, with `:ro` at its end if nothing may be written there; containers that name the same one share it. `read_only_root` leaves only those to
    write to. `environment_files` are ARNs of objects in S3. `init` runs an init process, which reaps what the application leaves.
  EOT
  type = map(object({
    role                 = optional(string)
    image                = optional(string)
    essential            = optional(bool, true)
    cpu                  = optional(number)
    memory               = optional(number)
    memory_reservation   = optional(number)
    entry_point          = optional(list(string))
    command              = optional(list(string))
    working_directory    = optional(string)
    user                 = optional(string)
    port                 = optional(number)
    stop_timeout_seconds = optional(number, 30)
    init                 = optional(bool, false)
    read_only_root       = optional(bool, false)
    open_files           = optional(number)
    mounts               = optional(map(string), {})
    environment          = optional(map(string), {})
    environment_files    = optional(list(string), [])
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
    condition     = alltrue([for name in keys(var.containers) : can(regex("^[A-Za-z0-9_-]{1,255}$", name))])
    error_message = "a container's name is made of letters, digits, _ and -: ${join(", ", keys(var.containers))}."
  }

  validation {
    condition     = alltrue([for container in values(var.containers) : (container.role == null) != (container.image == null)])
    error_message = "each container has either `role` or `image`; look at: ${join(", ", [for name, container in var.containers : name if(container.role == null) == (container.image == null)])}."
  }

  validation {
    condition     = anytrue([for container in values(var.containers) : container.role != null])
    error_message = "at least one container must have a `role`, or there is nothing to deploy: ${join(", ", keys(var.containers))}."
  }

  validation {
    condition     = anytrue([for container in values(var.containers) : container.essential])
    error_message = "at least one container must be essential, or the task never ends: ${join(", ", keys(var.containers))}."
  }

  validation {
    condition     = length(distinct([for container in values(var.containers) : container.port if container.port != null])) == length([for container in values(var.containers) : container.port if container.port != null])
    error_message = "the containers of a task share one network address, each needs a port of its own: ${join(", ", [for name, container in var.containers : "${name} ${container.port}" if container.port != null])}."
  }

  validation {
    condition     = alltrue([for container in values(var.containers) : container.stop_timeout_seconds >= 2 && container.stop_timeout_seconds <= 120])
    error_message = "stop_timeout_seconds must be between 2 and 120; look at: ${join(", ", [for name, container in var.containers : name if container.stop_timeout_seconds < 2 || container.stop_timeout_seconds > 120])}."
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
    error_message = "depends_on maps another container of the task to START, COMPLETE, SUCCESS or HEALTHY; there are ${join(", ", keys(var.containers))}."
  }

  validation {
    condition = alltrue([for container in values(var.containers) : alltrue([
      for condition in [for other, condition in container.depends_on : other if condition == "HEALTHY"] : try(var.containers[condition].health_check != null, false)
    ])])
    error_message = "depends_on HEALTHY needs a health_check on the other container; these have one: ${join(", ", [for name, container in var.containers : name if container.health_check != null])}."
  }

  validation {
    condition     = alltrue([for container in values(var.containers) : length(setintersection(keys(container.environment), keys(container.secrets))) == 0])
    error_message = "a name may be in `environment` or in `secrets`, not in both: ${join(", ", flatten([for container in values(var.containers) : tolist(setintersection(keys(container.environment), keys(container.secrets)))]))}."
  }

  validation {
    condition = alltrue(flatten([for container in values(var.containers) : [
      for path, volume in container.mounts : startswith(path, "/") && can(regex("^[A-Za-z0-9_-]{1,255}(:ro)?$", volume))
    ]]))
    error_message = "mounts maps an absolute path to a volume's name, with :ro behind it or not: ${join(", ", flatten([for container in values(var.containers) : [for path, volume in container.mounts : "${path} = ${volume}"]]))}."
  }

  validation {
    condition     = alltrue([for limit in values(var.containers)[*].open_files : limit >= 1024 && limit <= 1048576 if limit != null])
    error_message = "open_files must be between 1024 and 1048576: ${join(", ", [for limit in values(var.containers)[*].open_files : limit if limit != null])}."
  }

  validation {
    condition = alltrue(flatten([for container in values(var.containers) : [
      for arn in container.environment_files : can(regex("^arn:[a-z-]+:s3:::[a-z0-9.-]+/.+\\.env$", arn))
    ]]))
    error_message = "environment_files are ARNs of objects in S3 whose names end in .env: ${join(", ", flatten(values(var.containers)[*].environment_files))}."
  }

  validation {
    condition     = sum([for container in values(var.containers) : max(coalesce(container.memory, 0), coalesce(container.memory_reservation, 0))]) <= var.memory
    error_message = "the containers have more memory together than the task, ${var.memory} MiB."
  }

  validation {
    condition     = alltrue([for container in values(var.containers) : coalesce(container.memory_reservation, 0) <= coalesce(container.memory, container.memory_reservation, 0)])
    error_message = "memory_reservation may not be above memory; look at: ${join(", ", [for name, container in var.containers : name if coalesce(container.memory_reservation, 0) > coalesce(container.memory, container.memory_reservation, 0)])}."
  }

  validation {
    condition     = sum([for container in values(var.containers) : coalesce(container.cpu, 0)]) <= var.cpu
    error_message = "the containers have more cpu together than the task, ${var.cpu}."
  }
}
