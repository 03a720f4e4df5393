"""Mutants of a C++ source as schemata: all of them are compiled at once, and one is chosen at run time.

A mutant changes one token, or skips one statement or one check. An expression becomes
    (::fw::mutant(17) ? (changed) :
    (original))
with one mutant a line, so that what the compiler says of a line names the mutant that does not compile."""
import re

# Operands of one type that a mutant takes for each other.
SWAPS = [("not_before_ms", "not_after_ms"), ("issued_ms", "expires_ms"), ("started_ms", "ended_ms"), ("begin_ms", "end_ms"), ("now_ms_", "latest_ms_"),
         ("now_ms", "latest_ms"), ("time_floor_ms", "replay_floor_ms"), ("newest_pause_ms", "time_floor_ms"), ("per_hour", "per_day"),
         ("kHourMs", "kDayMs"), ("hour", "day"), ("from_minute", "to_minute"), ("since", "until"), ("before", "after"), ("min_value", "max_value"),
         ("max", "min"), ("any_of", "none_of"), ("threshold", "seniors"), ("witness_quorum", "root_threshold"), ("resume_threshold", "root_threshold"),
         ("name_spaces", "clusters"), ("clusters", "node_labels"), ("old_origin", "origin"), ("old_size", "size"), ("root", "old_root"),
         ("known_plans", "denied_plans"), ("consistent_from", "index"), ("next", "current"), ("head", "seen"), ("kMaxPlanBytes", "kMaxVotes"),
         ("kMaxVotes", "kMaxListEntries"), ("kMaxPolicyBytes", "kMaxListEntries"), ("restored", "done"), ("claimed", "done"), ("verified", "received"),
         ("deny", "approve"), ("less", "greater")]
DOMAINS = {"approval": "statement", "standing": "approval", "statement": "standing", "policy": "statement", "result": "checkpoint"}
OPERATORS = {"<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"],
             "+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["+"]}
TOKEN = re.compile(r"(?<= )(?:<=|>=|==|!=|&&|\|\||[<>+\-*/%])(?= )|(?<![\w!])!(?=[\w(])|(?<![\w.'])\d[\d']*(?![\w.'])|[A-Za-z_]\w*")
# The arguments of these are words for people.
SENTENCES = re.compile(r"\b(?:refuse|refused|outside|not_now|used_up|uncovered|Error|sentence|with_context|FW_ASSERT|static_assert)\(")
STATEMENT = re.compile(r"(?:continue;|[a-z_]\w*(?:(?:\.|->|::)\w+|\[\w+\])*(?: [-+|]?= (?!\{)|\())")
KEYWORD = re.compile(r"(?:return|if|while|for|switch|case|else|using|const|auto|static|constexpr|static_assert|sizeof|template|requires|default)\b")


def blank(text):
    """The text with comments, strings and preprocessor lines as blanks of the same length."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'|^[ \t]*#[^\n]*', re.S | re.M)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def closing(text, opened):
    """Where the bracket at `opened` closes."""
    depth = 0
    for at in range(opened, len(text)):
        depth += (text[at] in "({[") - (text[at] in ")}]")
        if depth == 0:
            return at
    raise ValueError("a bracket is not closed")


def end_of_expression(text, start):
    """Where its `;` is; nothing when a bracket around it closes first."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] == ";" and depth == 0:
            return at
        depth += (text[at] in "({[") - (text[at] in ")}]")
        if depth < 0:
            return None
    return None


class Mutant:
    def __init__(self, file, line, text, rule, change):
        self.file, self.line, self.text, self.rule, self.change = file, line, text, rule, change

    @property
    def key(self):
        """What equivalent.txt names it by: no line number, so that it stays when lines move."""
        return f"{self.file} | {self.text} | {self.rule}: {self.change}"


class Source:
    def __init__(self, file, text):
        self.file, self.text, self.code = file, text, blank(text)
        self.expressions = []   # (start, end, kind)
        self.insertions = []    # (position, code, mutant)
        self.conditions()
        self.values()
        self.statements()
        self.checks()

    def mutant(self, at, rule, change):
        begin, end = self.text.rfind("\n", 0, at) + 1, self.text.find("\n", at)
        return Mutant(self.file, self.text.count("\n", 0, at) + 1, " ".join(self.text[begin:end].split()), rule, " ".join(change.split()))

    def conditions(self):
        for found in re.finditer(r"\b(?:if|while) \(", self.code):
            start, end = found.end(), closing(self.code, found.end() - 1)
            initialised = end_of_expression(self.code, start)
            if initialised is not None and initialised < end:
                start = initialised + 2
            declared = re.match(r"(?:const )?auto\*? (\w+) = ", self.code[start:end])
            if not declared:
                self.expressions.append((start, end, "condition"))
            elif declared.group(1) == "problem":
                self.expressions.append((start + declared.end(), end, "problem"))

    def values(self):
        for found in re.finditer(r"\breturn (?=[^;{])|[\w\])>] [-+|]?= (?=[^;{])|\b\w+_\((?=std::(?:max|min|clamp))", self.code):
            line = self.code[self.code.rfind("\n", 0, found.start()) + 1:found.start() + 1]
            if re.search(r"\bconstexpr\b|\busing\b|\bnamespace\b|\bfor \(|\bif \(.* = |\bwhile \(.* = |^\S", line):
                continue
            end = closing(self.code, found.end() - 1) if found.group().endswith("(") else end_of_expression(self.code, found.end())
            if end is not None:
                self.expressions.append((found.end(), end, "value"))

    def statements(self):
        """Skips a call, an assignment, a continue."""
        for found in re.finditer(r"^( +)(?:(?:if|for) \(.*\) )?(?=\S)", self.code, re.M):
            at = found.end()
            before = self.code[:found.start()].rstrip()
            if not STATEMENT.match(self.code, at) or KEYWORD.match(self.code, at) or SENTENCES.match(self.code, at) or before[-1:] not in ";{})":
                continue
            end = end_of_expression(self.code, at)
            if end is not None and not re.match(r"\w+\([^;]*\)(?: const)?(?: noexcept)? *\{", self.code[at:end]):
                self.insertions.append((at, "if (!::fw::mutant({n})) ", self.mutant(at, "skip", self.text[at:end])))

    def checks(self):
        """Skips a whole check; a predicate always says the same."""
        values = {"Problem": ["{}"], "bool": ["true", "false"]}
        for found in re.finditer(r"^ *(?:static |inline )?(Problem|bool) ([\w:]+)\([^;{}]*\)(?: const)?(?: noexcept)?(?: override)? \{", self.code, re.M):
            for value in values[found.group(1)]:
                self.insertions.append((found.end(), " if (::fw::mutant({n})) return " + value + "; ",
                                        self.mutant(found.start(2), "skip check", f"{found.group(2)} returns {value}")))

    def changes(self, start, end, kind, inner):
        """(mutant, changed text) of what belongs to the expression itself and not to one inside of it."""
        whole = self.text[start:end]
        if kind == "problem":
            yield self.mutant(start, "skip", whole), f"decltype({whole}){{}}"
        if kind == "condition":
            yield self.mutant(start, "skip", f"{whole} -> false"), "false"
            yield self.mutant(start, "invert", f"{whole} -> !"), f"!({whole})"
        words = [(start + found.start(), closing(self.code, start + found.end() - 1)) for found in SENTENCES.finditer(self.code[start:end])]
        for found in TOKEN.finditer(self.code, start, end):
            if any(begin <= found.start() < stop for begin, stop in words + inner):
                continue
            for rule, new in self.replacements(found.group(), found.start()):
                yield (self.mutant(found.start(), rule, f"{found.group()} -> {new}"), self.text[start:found.start()] + new + self.text[found.end():end])

    def replacements(self, token, at):
        before = self.code[max(0, at - 16):at]
        if token in OPERATORS:
            off_by_one = token in "<=>=" and token != "=="
            return [("off by one" if off_by_one and i == 0 else "invert", new) for i, new in enumerate(OPERATORS[token])]
        if token == "!":
            return [("invert", "!!")]   # a bool as well: the type of the whole stays
        if token[0].isdigit():
            value = int(token.replace("'", ""))
            return [("off by one", str(value + 1))] + ([("off by one", str(value - 1))] if value else [])
        if before.endswith("Domain::"):
            return [("wrong operand", DOMAINS[token])] if token in DOMAINS else []
        if before.endswith("Code::") or before.endswith("Errc::"):
            return []
        if token in ("true", "false"):
            return [("invert", "false" if token == "true" else "true")]
        return [("wrong operand", b if token == a else a) for a, b in SWAPS if token in (a, b)]

    def schemata(self, first, dropped):
        """The text with every mutant in it, numbered from `first`; and the mutants in the order of their numbers. `dropped`: keys left out."""
        mutants = []

        def take(mutant):
            if mutant.key in dropped:
                return None
            mutants.append(mutant)
            return first + len(mutants) - 1

        def render(start, end, expressions):
            out, at = [], start
            events = [(e[0], 1, e) for e in outermost(expressions)] + [(i[0], 0, i) for i in self.insertions if start <= i[0] < end]
            for position, what, item in sorted(events, key=lambda event: event[:2]):
                if position < at:
                    continue   # inside of an expression that is written already
                out.append(self.text[at:position])
                at = position
                if what == 0:
                    number = take(item[2])
                    out.append("" if number is None else item[1].replace("{n}", str(number)))
                    continue
                inside = [e for e in expressions if e != item and item[0] <= e[0] and e[1] <= item[1]]
                choices = []
                for mutant, changed in self.changes(*item, [e[:2] for e in outermost(inside)]):
                    number = take(mutant)
                    if number is not None:
                        choices.append(f"\n::fw::mutant({number}) ? ({' '.join(changed.split())}) :")
                original = render(item[0], item[1], inside)
                out.append(f"({''.join(choices)}\n({original}))" if choices else original)
                at = item[1]
            out.append(self.text[at:end])
            return "".join(out)

        return render(0, len(self.text), sorted(set(self.expressions))), mutants


def outermost(expressions):
    out = []
    for expression in sorted(expressions, key=lambda e: (e[0], -e[1])):
        if not out or expression[0] >= out[-1][1]:
            out.append(expression)
    return out
