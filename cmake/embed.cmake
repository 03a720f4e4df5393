# cmake -DOUT=file.cpp -DNAME=function -DFILES="a;b" -DROOT=dir -P embed.cmake: text files as C++ string literals behind
# `std::span<const fw::EmbeddedFile> fw::NAME()`, sorted by path so that the result does not depend on the caller.
list(SORT FILES)
set(text "#include \"common/embedded_file.hpp\"\nnamespace fw {\nnamespace {\nconstexpr EmbeddedFile kFiles[] = {\n")
foreach(file IN LISTS FILES)
  file(READ "${file}" content)
  file(RELATIVE_PATH path "${ROOT}" "${file}")
  string(APPEND text "  {\"${path}\", R\"fw_text(${content})fw_text\"},\n")
endforeach()
string(APPEND text "};\n}  // namespace\nstd::span<const EmbeddedFile> ${NAME}();\nstd::span<const EmbeddedFile> ${NAME}() { return kFiles; }\n}  // namespace fw\n")
file(WRITE "${OUT}" "${text}")
