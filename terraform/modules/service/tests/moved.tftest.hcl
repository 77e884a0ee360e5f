# A state from before the module had a service for each deployment controller.
mock_provider "aws" {}

variables {
  name             = "shop-stg-web"
  cluster_arn      = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg"
  template_arn     = "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/shop-stg-web-template:7"
  subnets          = ["subnet-1", "subnet-2"]
  security_group   = "sg-web"
  assign_public_ip = false
}

run "before" {
  state_key = "moved"

  module {
    source = "./tests/before"
  }
}

run "a_service_of_before_keeps_its_tasks" {
  state_key = "moved"

  assert {
    condition     = aws_ecs_service.this[0].id == run.before.id
    error_message = "the service was made anew: ${aws_ecs_service.this[0].id} is not ${run.before.id}"
  }

  assert {
    condition     = aws_ecs_service.this[0].desired_count == 2
    error_message = "its count is the deploy's"
  }
}
