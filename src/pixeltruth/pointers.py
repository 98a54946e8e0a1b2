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


u8_at = _pointer_to(types.uint8)
i32_at, i64_at = _pointer_to(types.int32), _pointer_to(types.int64)
u32_at, u64_at = _pointer_to(types.uint32), _pointer_to(types.uint64)
f32_at, f64_at = _pointer_to(types.float32), _pointer_to(types.float64)


@no_type_check
def _call(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
    word = values[0].type
    function = ir.FunctionType(ir.VoidType(), [word] * (len(values) - 1))
    builder.call(builder.inttoptr(values[0], function.as_pointer()), values[1:])
    return context.get_dummy_value()


@no_type_check
def _call_for_number(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
    function = ir.FunctionType(ir.DoubleType(), [value.type for value in values[1:]])
    return builder.call(builder.inttoptr(values[0], function.as_pointer()), values[1:])


@intrinsic
@no_type_check
def _call_packet(typing_context: Any, address: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Calls a C function such as `rtcIntersect16` at ``address``."""
    return types.void(*[types.uintp] * 5), _call


@intrinsic
@no_type_check
def _call_query(typing_context: Any, address: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """Calls a C function such as `rtcPointQuery` at ``address``; what it returns is left alone."""
    return types.void(*[types.uintp] * 6), _call


@intrinsic
@no_type_check
def _call_opacity(typing_context: Any, address: Any, tables: Any, copy: Any, triangle: Any, b1: Any, b2: Any) -> Any:
    """Calls the kernel of `opacity` at ``address``."""
    return types.float64(*[types.uintp] * 2, *[types.int64] * 2, *[types.float64] * 2), _call_for_number


call_packet: Any = _call_packet  # numba's types do not know that the typing context is not passed
call_query: Any = _call_query
call_opacity: Any = _call_opacity
