"""Lessons: a text, a small network in a known state, and a question that the engine answers.

A lesson is a TOML file in this folder (see ``one-neuron.toml``). Nothing in it is run: layers are
named from a list, and the answer to its question is a number of the step, never one that is
written there.
"""

from .lesson import Lesson, Verdict, lesson_names, open_lesson

__all__ = ["Lesson", "Verdict", "lesson_names", "open_lesson"]
