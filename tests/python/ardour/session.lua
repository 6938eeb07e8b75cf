-- ardour7-lua session.lua: makes a session with one MIDI track that plays the plugin, its blend automated from
-- left to right. The environment says where: SESSION_FOLDER, SESSION_NAME, PLUGIN_NAME, SECONDS.
local folder, name = os.getenv("SESSION_FOLDER"), os.getenv("SESSION_NAME")
local plugin_name, seconds = os.getenv("PLUGIN_NAME"), tonumber(os.getenv("SECONDS"))

local session = create_session(folder, name, 48000)
assert(session, "the session cannot be made")

-- The position of an input parameter among the input parameters.
local function parameter(plugin, label)
  local position = 0
  for index = 0, plugin:parameter_count() - 1 do
    if plugin:parameter_is_input(index) then
      if plugin:parameter_label(index) == label then return position end
      position = position + 1
    end
  end
  error("the plugin has no parameter " .. label)
end

-- Draws a line and has it played.
local function automate(processor, label, from, to)
  local plugin = processor:to_insert():plugin(0)
  local position = parameter(plugin, label)
  local _, line, range = ARDOUR.LuaAPI.plugin_automation(processor, position)
  local span = range.upper - range.lower
  for step = 0, 100 do
    local share = step / 100
    local at = Temporal.timepos_t(math.floor(session:nominal_sample_rate() * seconds * share))
    line:add(at, range.lower + span * (from + (to - from) * share), false, true)
  end
  local address = Evoral.Parameter(
    ARDOUR.AutomationType.PluginAutomation, 0, plugin:nth_parameter(position, false))
  local control = processor:to_automatable():automation_control(address, false)
  assert(not control:isnil(), label .. " cannot be automated")
  control:set_automation_state(ARDOUR.AutoState.Play)
end

local function add_track()
  local info = ARDOUR.LuaAPI.new_plugin_info(plugin_name, ARDOUR.PluginType.VST3)
  assert(not info:isnil(), "the scanner found no VST3 plugin called " .. plugin_name)
  local tracks = session:new_midi_track(
    ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1), ARDOUR.ChanCount(ARDOUR.DataType("audio"), 2),
    true, info, nil, nil, 1, "Keys", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
  local track = tracks:front()
  -- Without a screen nothing is connected by itself, and the export would be silent.
  for channel = 0, 1 do
    track:output():audio(channel):connect("Master/audio_in " .. (channel + 1))
  end
  local processor = track:nth_plugin(0)
  assert(not processor:isnil(), "the track has no plugin")
  automate(processor, "Blend X", 0, 1)
  automate(processor, "Blend Y", 1, 1)
end

add_track()
session:save_state("", false, false, false, false, false)
-- What this script still held of the track would be destroyed at exit, after the session that it points into.
collectgarbage()
session:close()
quit()
