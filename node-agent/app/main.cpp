#include "node-agent/app/program.hpp"

int main(int argc, char** argv) { return fw::agent::run_program(argc, argv); }
