"""What computes the networks in place of PyTorch on this machine: OpenVINO, or a GPU of ZeroGPU."""
