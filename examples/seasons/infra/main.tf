# What production needs beside its services. A box on a shelf stands for a bucket or a queue: it needs no cloud to be tried.
terraform {
  required_providers {
    shelf = { source = "example.com/ciranda/shelf" }
  }
}

resource "shelf_box" "archive" {
  name  = "flights-archive"
  label = "kept for 30 days"
}

output "archive" {
  value = shelf_box.archive.name
}
