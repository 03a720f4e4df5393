// What goes on around an honest aggregator: containers that run out of memory, people who look at plans and sign, roots who change the policy;
// and, when somebody stole an approver's key, what can be tried with it.
#pragma once
#include <map>
#include <optional>

#include "tests/simulation/aggregator.hpp"

namespace fw::sim {

class Honest {
 public:
  struct Deps {
    Timeline& timeline;
    Faults& faults;
    Marks& marks;
    Truth& truth;
    Pens& pens;
    Aggregator& aggregator;
    std::vector<std::unique_ptr<Node>>& nodes;
  };
  Honest(Deps deps, Rng rng, std::optional<std::size_t> stolen);

  void start();
  void stop() { stopped_ = true; }          // people go home; symptoms go on
  void step();                              // somebody does something
  void attack();                            // whoever has the stolen key does something

 private:
  struct Incident {
    governance::IncidentView view;
    int node = 0;
    std::string path;
    std::int64_t needed = 0;
  };

  void begin_incident();
  void symptom(std::size_t index);
  void tell(governance::Core& core, const Incident& incident);
  void explain(const Incident& incident);
  void see_plans();
  std::optional<governance::PlanRecord> some_plan(const std::function<bool(const governance::PlanRecord&)>& want);
  void vote(std::size_t human, const governance::PlanRecord& plan, const Pens::VoteOptions& options, bool as_other = false);
  void sign_standing();
  void sign_statement(authority::Statement statement, const std::vector<std::size_t>& people);
  void change_policy();
  governance::Caller caller(std::size_t human) const { return {Keys::get().humans[human].person, "10.0.0.7"}; }
  std::uint64_t version_for(const governance::PlanRecord& plan) const;
  const authority::Policy* policy() const;

  Deps deps_;
  Rng rng_;
  std::optional<std::size_t> stolen_;
  std::vector<Incident> incidents_;
  std::int64_t next_number_ = 0;
  bool stopped_ = false;
  std::vector<authority::Statement> waiting_;   // signed by one, for the next to sign
  std::vector<authority::StandingApproval> standings_;
};

}  // namespace fw::sim
