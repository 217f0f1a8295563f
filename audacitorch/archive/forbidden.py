"""Operators and classes that no model may use: what reaches out of the process, and what is the compiler's own."""

from __future__ import annotations

#: What lets a model read or write files, or speak to other processes; found by reading all schemas of Torch 1.9.0.
REACHES_OUT = {
    "aten::from_file": "reads and, if shared, writes a file",
    "aten::save": "writes a file",
    "prim::rpc_sync": "calls another process",
    "prim::rpc_async": "calls another process",
    "prim::rpc_remote": "calls another process",
    "aten::dist_backward": "speaks to other processes",
}
#: What Torch's compiler and its optimizers make for themselves and no exporter prints. Some crash when they are called.
# fmt: off
INTERNAL = frozenset((
    "prim::PythonOp", "prim::IgnoredPythonOp", "prim::BailOut", "prim::BailoutTemplate", "prim::Guard",
    "prim::TypeCheck", "prim::RequiresGradCheck", "prim::FallbackGraph", "prim::StaticSubgraph",
    "prim::DifferentiableGraph", "prim::FusionGroup", "prim::CudaFusionGroup", "prim::CudaFusionGuard",
    "prim::TensorExprGroup", "prim::FusedConcat", "prim::ConstantMKLDNNTensor", "prim::BroadcastMKLDNNTensors",
    "prim::profile", "prim::profile_ivalue", "prim::AddStatValue", "prim::TimePoint", "prim::MMTreeReduce",
    "prim::MMBatchSide",
))
# fmt: on
#: Namespaces of classes that do the same, such as FileStore and TCPStore. Python's Torch has them, libtorch has not.
REACHES_OUT_CLASSES = ("dist_c10d", "dist_rpc")
REACHES_OUT_NAMES = {operator.partition("::")[2]: operator for operator in REACHES_OUT}
