#include "aggregator/app/aggregator.hpp"

int main(int argc, char** argv) { return fw::app::run_program(argc, argv); }
