#include "node-agent/executor/app/program.hpp"

int main(int argc, char** argv) { return fw::executor::run_program(argc, argv); }
