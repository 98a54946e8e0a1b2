"""Addresses inside compiled kernels: calling a C function and reading memory behind a number.

Kernels that carry addresses as numbers, not as globals, can be cached on disk. For that numba pickles the functions
below, which a test's type checker must therefore leave alone.
"""

from typing import Any, no_type_check

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _pointer_to(element: Any) -> Any:
    """An intrinsic that turns an address into a pointer to ``element``."""

    @intrinsic
    @no_type_check
    def pointer(typing_context: Any, address: Any) -> Any:
        result = types.CPointer(element)

        @no_type_check
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return builder.inttoptr(values[0], context.get_value_type(result))

        return result(types.uintp), generate

    return pointer


i32_at, i64_at = _pointer_to(types.int32), _pointer_to(types.int64)
u32_at, u64_at = _pointer_to(types.uint32), _pointer_to(types.uint64)
f32_at, f64_at = _pointer_to(types.float32), _pointer_to(types.float64)


@intrinsic
@no_type_check
def _intrinsic_call(typing_context: Any, address: Any, valid: Any, scene: Any, packet: Any, arguments: Any) -> Any:
    """Calls the C function ``void f(valid, scene, packet, arguments)`` at ``address``."""
    signature = types.void(*[types.uintp] * 5)

    @no_type_check
    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        word = values[0].type
        function = ir.FunctionType(ir.VoidType(), [word] * 4)
        builder.call(builder.inttoptr(values[0], function.as_pointer()), values[1:])
        return context.get_dummy_value()

    return signature, generate


call_packet: Any = _intrinsic_call  # numba's types do not know that the typing context is not passed
