variable "app" {
  description = "Application."
  type        = string
}

variable "environment" {
  description = "Environment."
  type        = string
}

variable "account_id" {
  description = "Account everything is in."
  type        = string
}

variable "region" {
  description = "Region everything is in."
  type        = string
}

variable "cluster" {
  description = "ARN of the cluster."
  type        = string
}

variable "repository" {
  description = "Repository of the images, as an engine names it, without a tag."
  type        = string

  validation {
    condition     = can(regex("^[^@]+$", var.repository)) && !strcontains(basename(var.repository), ":")
    error_message = "repository must carry neither tag nor digest; it is ${var.repository}."
  }
}

variable "cache_repository" {
  description = "Repository of the builders' layer caches, without a tag."
  type        = string
}

variable "remote_build" {
  description = "Where images are built that nobody's machine builds: the CodeBuild project, the bucket of its sources, its machines' platform."
  type        = object({ project = string, bucket = string, platform = string })
  default     = null
}

variable "ledger" {
  description = "DynamoDB table of the releases."
  type        = string
}

variable "url" {
  description = "Where the application is reached."
  type        = string

  validation {
    condition     = can(regex("^https?://[^/]+$", var.url))
    error_message = "url must look like https://shop.example.com; it is ${var.url}."
  }
}

variable "services" {
  description = <<-EOT
    Services by their short name. `load_balancer` is what a deployment that swaps target groups needs: the container and port that get the requests, the
    target groups (the live one first), the listener that users come in by, and the one to test on.
    `codedeploy` is where CodeDeploy moves the service, how long it waits by itself, and what its AppSpec says beside that.
  EOT
  type = map(object({
    name             = string
    family           = string
    template         = string
    desired_count    = number
    containers       = map(string)
    subnets          = list(string)
    security_groups  = list(string)
    assign_public_ip = bool
    log_group        = string
    load_balancer = optional(object({
      container     = string
      port          = number
      target_groups = list(string)
      listener      = string
      test_listener = optional(string, "")
    }))
    codedeploy = optional(object({
      application              = string
      deployment_group         = string
      ready_wait_minutes       = number
      shift_minutes            = number
      termination_wait_minutes = number
      platform_version         = string
      capacity                 = list(object({ provider = string, base = number, weight = number }))
      hooks                    = map(string)
    }))
  }))
}

variable "scheduled_tasks" {
  description = "Scheduled tasks by their short name: `schedule` is the one in the group `default` that a deploy sets to its revision; `enabled`, whether it then starts tasks."
  type = map(object({
    name             = string
    family           = string
    template         = string
    schedule         = string
    enabled          = bool
    containers       = map(string)
    subnets          = list(string)
    security_groups  = list(string)
    assign_public_ip = bool
    log_group        = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setintersection(keys(var.services), keys(var.scheduled_tasks))) == 0
    error_message = "a service and a scheduled task may not have the same name: ${join(", ", setintersection(keys(var.services), keys(var.scheduled_tasks)))}."
  }
}
