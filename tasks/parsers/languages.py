"""Languages of source code, by suffix."""

# The module and function of the grammar of each kind; none: the text is taken as it is.
LANGUAGES = {
    suffix: grammar
    for suffixes, grammar in {
        ".py .pyi": "tree_sitter_python.language",
        ".js .mjs .cjs .jsx": "tree_sitter_javascript.language",
        ".ts .mts .cts": "tree_sitter_typescript.language_typescript",
        ".tsx": "tree_sitter_typescript.language_tsx",
        ".java": "tree_sitter_java.language",
        ".go": "tree_sitter_go.language",
        ".rs": "tree_sitter_rust.language",
        ".c": "tree_sitter_c.language",
        ".h .cc .cpp .cxx .hh .hpp .hxx .cu": "tree_sitter_cpp.language",
        ".cs": "tree_sitter_c_sharp.language",
        ".rb": "tree_sitter_ruby.language",
        ".php": "tree_sitter_php.language_php",
        ".sh .bash": "tree_sitter_bash.language",
        ".kt .swift .scala .lua .jl .r .pl .sql .m .dart .ex .hs": "",
    }.items()
    for suffix in suffixes.split()
}
