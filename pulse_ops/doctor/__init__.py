"""What is wrong with a deployment, each trouble with its next step: asked by its URLs alone, wherever it runs."""
