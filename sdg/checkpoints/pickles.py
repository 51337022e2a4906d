"""Pickles that would take no end of time or memory are recognised before anything is built from them."""

import pickle
import pickletools
from typing import BinaryIO

_PUTS = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_HASHED = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET")
_MOST = 1_000_000


def check_pickle(stream: BinaryIO) -> None:
    """Read one pickle's instructions, up to its end, without following them.

    A tuple that holds another twice, which holds another twice, and so on, is a short pickle; but its hash,
    which a dictionary asks for, visits every path through it.

    Raises:
        UnpicklingError: such a tuple, or memory asked for that the pickle itself does not fill.
        Exception: anything else that a damaged pickle can cause.
    """
    stack: list[int] = []
    """How many objects the hash of each object on the unpickler's stack visits; 0 is a mark."""
    memo: dict[int, int] = {}
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if opcode.name in _PUTS:
            place = len(memo) if opcode.name == "MEMOIZE" else int(argument or 0)
            if place > count:
                raise pickle.UnpicklingError("a memo number beyond the pickle's length")
            memo[place] = stack[-1]
        elif opcode.name in _GETS:
            stack.append(memo[int(argument or 0)])
        elif opcode.name in ("DUP", "MARK"):
            stack.append(stack[-1] if opcode.name == "DUP" else 0)
        else:
            visits = 1 + sum(_taken(stack, opcode))
            if opcode.name not in _HASHED:
                visits = 1
            elif visits > _MOST:
                raise pickle.UnpicklingError("a tuple of too many parts")
            stack += [visits] * len(opcode.stack_after)


def _taken(stack: list[int], opcode: pickletools.OpcodeInfo) -> list[int]:
    """What an instruction takes off the stack."""
    taken, fixed = list[int](), len(opcode.stack_before)
    if pickletools.markobject in opcode.stack_before:
        while item := stack.pop():
            taken.append(item)
        fixed = opcode.stack_before.index(pickletools.markobject)
    return taken + [stack.pop() for _ in range(fixed)]
